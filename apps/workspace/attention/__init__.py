"""Every break of the chain in one place: what broke, why, and how a person mends it."""
