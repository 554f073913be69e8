"""The reading list: what waits for a radiologist, who has taken it, and what comes next."""
