"""Tracking: finished runs and studies, sent to MLflow."""
