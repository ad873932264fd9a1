"""The chance row."""

from typing import Self

import numpy as np

from asdbench.scorers.base import Clips, Embeddings, Scorer, Scores


class Random(Scorer):
    """Draws every score evenly from [0, 1): what a system must beat."""

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Nothing to learn."""
        return self

    def score(self, embeddings: Embeddings) -> Scores:
        """Random scores, float64 (n,), by the seed."""
        return np.random.default_rng(self.seed).random(len(embeddings))
