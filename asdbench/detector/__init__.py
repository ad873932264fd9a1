"""A detector: a fitted system with a threshold, in one file, and all that is done with it."""
