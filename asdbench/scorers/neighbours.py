"""Scorers that look at the nearest training clips."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from asdbench.scorers.bank import Rows
from asdbench.scorers.base import ArrayScorer, Clips, Embeddings, Scores, require_clips, require_finite
from asdbench.scorers.rescaled import bank_of

_REDUCE: dict[str, Callable[[NDArray[np.float64]], Scores]] = {
    "largest": lambda distances: distances[:, -1],
    "mean": lambda distances: distances.mean(axis=1),
    "median": lambda distances: np.median(distances, axis=1),
}


class NearestNeighbours(ArrayScorer):
    """Distance to the k-th nearest training clip, or the mean or median over the k nearest.

    Ramaswamy et al. (2000); the same scores as PyOD's KNN. With ``rescale`` distances are first rescaled by the density
    of each training clip (``RescaledBank``).
    """

    name = "knn"

    def __init__(self, *, n_neighbors: int, method: str, metric: str, rescale: str, rescale_k: int) -> None:
        super().__init__()
        self._k = n_neighbors
        self._rescale = rescale, rescale_k
        self._method = method
        self._reduce = _REDUCE[method]
        self._metric = metric

    def _learn(self, rows: Rows, clips: Clips) -> None:
        require_clips("knn", len(rows), self._k + 1, "knn.n_neighbors", len(rows) - 1)
        self._bank = bank_of(rows, self._k, self._metric, *self._rescale)
        self.notes += self._bank.short_note("whole")

    def _score(self, rows: Rows) -> Scores:
        return self._reduce(self._bank.distances(rows))

    def _rows(self, embeddings: Embeddings) -> Rows:
        return require_finite(self.name, embeddings)

    def training_scores(self) -> Scores | None:
        """Distances to the other training clips."""
        scores = self._reduce(self._bank.distances_within())
        return scores if np.isfinite(scores).all() else None


class LocalOutlierFactor(ArrayScorer):
    """How much sparser the surroundings of a clip are than those of its neighbours (Breunig et al., 2000).

    About 1 inside a cluster.
    """

    name = "lof"

    def __init__(self, *, n_neighbors: int, metric: str) -> None:
        super().__init__()
        self._k = n_neighbors
        self._metric = metric

    def _learn(self, rows: Rows, clips: Clips) -> None:
        from sklearn.neighbors import LocalOutlierFactor as Factor

        require_clips("lof", len(rows), self._k + 1, "lof.n_neighbors", len(rows) - 1, smallest=2)
        self._model = Factor(n_neighbors=self._k, metric=self._metric, novelty=True).fit(rows)

    def _score(self, rows: Rows) -> Scores:
        return np.asarray(-self._model.score_samples(rows))

    def training_scores(self) -> Scores | None:
        """Factors of the training clips among each other."""
        return np.asarray(-self._model.negative_outlier_factor_, np.float64)
