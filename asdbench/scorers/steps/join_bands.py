"""Bands to one vector a clip, for scorers that take vectors."""

import numpy as np

from asdbench.scorers.base import Embeddings, Scorer, Scores, require_finite
from asdbench.scorers.steps.base import Changed, Make, Step


class JoinBands(Step):
    """Makes one vector of the bands of a clip; embeddings without bands stay as they are.

    Args:
        how: "row" puts the bands one behind the other, (n, bands * dim); "mean" averages them, (n, dim).

    Examples:
        >>> import asdbench as asd, numpy as np
        >>> bands = np.random.default_rng(0).normal(size=(20, 4, 8))
        >>> asd.scorer("join-bands+knn").fit(bands).score(bands).shape
        (20,)
    """

    def __init__(self, *, how: str) -> None:
        self._how = how

    def around(self, make: Make) -> Scorer:
        """The scorer on one vector a clip."""
        return Joined(make(), self._how)


class Joined(Changed):
    """See ``JoinBands``."""

    learns = False

    def __init__(self, inner: Scorer, how: str) -> None:
        super().__init__(inner)
        self._how = how

    def learn(self, embeddings: Embeddings) -> None:
        """Nothing to learn."""

    def change(self, embeddings: Embeddings) -> Embeddings:
        """Float32 (n, bands * dim), or (n, dim) of means."""
        rows = require_finite("join-bands", embeddings, bands=True)
        if rows.ndim == 3:
            rows = rows.mean(axis=1) if self._how == "mean" else rows.reshape(len(rows), -1)
        return np.ascontiguousarray(rows, np.float32)

    def training_scores(self) -> Scores | None:
        """Those of the scorer: nothing was learned of the training clips here."""
        return self._inner.training_scores()

    def held_out_scores(self) -> Scores | None:
        """The same for thresholds."""
        return self._inner.held_out_scores()
