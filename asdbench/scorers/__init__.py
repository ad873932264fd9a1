"""Anomaly scorers: embeddings -> anomaly scores."""

from asdbench.scorers.base import Scorer

__all__ = ["Scorer"]
