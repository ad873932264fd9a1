"""The chance row."""

from collections.abc import Sequence

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.base import Embeddings, Scorer, Scores


class Random(Scorer):
    """Draws every score evenly from [0, 1): what a system must beat."""

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Nothing to learn."""

    def score(self, embeddings: Embeddings) -> Scores:
        """Random scores, float64 (n,), by the seed."""
        return np.random.default_rng(self.seed).random(len(embeddings))
