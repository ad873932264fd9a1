"""Tuning: parameters of extractors, scorers, front ends and augmentations, by Optuna."""
