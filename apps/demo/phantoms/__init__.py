"""Images of people who do not exist: curves, tissue values and noise, repeatable by seed."""
