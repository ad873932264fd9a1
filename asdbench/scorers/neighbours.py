"""Scorers that look at the nearest training clips."""

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from asdbench.scorers.bank import Bank
from asdbench.scorers.base import (
    Clips,
    Embeddings,
    FittedScorer,
    Scorer,
    Scores,
    doubles,
    require_clips,
    require_finite,
)

_REDUCE: dict[str, Callable[[NDArray[np.float64]], Scores]] = {
    "largest": lambda distances: distances[:, -1],
    "mean": lambda distances: distances.mean(axis=1),
    "median": lambda distances: np.median(distances, axis=1),
}


class NearestNeighbours(Scorer):
    """Distance to the k-th nearest training clip, or the mean or median over the k nearest.

    Ramaswamy et al. (2000); the same scores as PyOD's KNN.
    """

    def __init__(self, *, n_neighbors: int, method: str, metric: str) -> None:
        super().__init__()
        self._k = n_neighbors
        self._reduce = _REDUCE[method]
        self._metric = metric

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Put the training clips into a bank."""
        rows = require_finite("knn", embeddings)
        require_clips("knn", len(rows), self._k + 1, "knn.n_neighbors", len(rows) - 1)
        self._bank = Bank(rows, self._k, self._metric)
        return self

    def score(self, embeddings: Embeddings) -> Scores:
        """Distance of each row, float64 (n,)."""
        return self._reduce(self._bank.distances(require_finite("knn", embeddings)))

    def training_scores(self) -> Scores | None:
        """Distances to the other training clips."""
        return self._reduce(self._bank.distances_within())


class LocalOutlierFactor(FittedScorer):
    """How much sparser the surroundings of a clip are than those of its neighbours (Breunig et al., 2000).

    About 1 inside a cluster.
    """

    name = "lof"

    def __init__(self, *, n_neighbors: int, metric: str) -> None:
        super().__init__()
        self._k = n_neighbors
        self._metric = metric

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Measure the densities of the training clips."""
        from sklearn.neighbors import LocalOutlierFactor as Factor

        rows = doubles("lof", embeddings)
        require_clips("lof", len(rows), self._k + 1, "lof.n_neighbors", len(rows) - 1, smallest=2)
        self._model = Factor(n_neighbors=self._k, metric=self._metric, novelty=True).fit(rows)
        return self

    def training_scores(self) -> Scores | None:
        """Factors of the training clips among each other."""
        return np.asarray(-self._model.negative_outlier_factor_, np.float64)
