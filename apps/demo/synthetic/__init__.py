"""A hospital's index at any size: rows in bulk, of people who do not exist, without images."""
