"""A fitted system in one file, and what can be made of it."""
