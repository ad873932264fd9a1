"""Scorers that look at the nearest training clips."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.base import Embeddings, FittedScorer, ScorerError, Scores, require_clips

_REDUCE: dict[str, Callable[[NDArray[np.float64]], Scores]] = {
    "largest": lambda distances: distances[:, -1],
    "mean": lambda distances: distances.mean(axis=1),
    "median": lambda distances: np.median(distances, axis=1),
}


class NearestNeighbours(FittedScorer):
    """Distance to the k-th nearest training clip, or the mean or median over the k nearest.

    Ramaswamy et al. (2000); the same scores as PyOD's KNN.
    """

    def __init__(self, *, n_neighbors: int, method: str, metric: str) -> None:
        super().__init__()
        self._k = n_neighbors
        self._reduce = _REDUCE[method]
        self._metric = metric

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Keep the training clips.

        Raises:
            ScorerError: fewer clips than neighbours, or embeddings that are not finite.
        """
        count = len(embeddings)
        require_clips("knn", count, self._k + 1, "knn.n_neighbors", count - 1)
        if self._metric == "euclidean":
            from asdbench.scorers.nearest import NearestRows

            self._model = NearestRows(_finite(embeddings))
        else:
            from sklearn.neighbors import NearestNeighbors as Neighbours

            self._model = Neighbours(n_neighbors=self._k, metric=self._metric).fit(np.asarray(embeddings, float))

    def score(self, embeddings: Embeddings) -> Scores:
        """Distance of each row, float64 (n,)."""
        if self._metric == "euclidean":
            return self._reduce(self._model.distances(_finite(embeddings), self._k))
        return self._reduce(self._model.kneighbors(np.asarray(embeddings, float))[0])

    def training_scores(self) -> Scores | None:
        """Distances to the other training clips."""
        if self._metric == "euclidean":
            return self._reduce(self._model.distances_within(self._k))
        return self._reduce(self._model.kneighbors()[0])


def _finite(embeddings: Embeddings) -> Embeddings:
    if not np.isfinite(embeddings).all():
        raise ScorerError("knn was given embeddings that are not numbers (NaN or infinite).")
    return embeddings


class LocalOutlierFactor(FittedScorer):
    """How much sparser the surroundings of a clip are than those of its neighbours (Breunig et al., 2000)."""

    def __init__(self, *, n_neighbors: int, metric: str) -> None:
        super().__init__()
        self._k = n_neighbors
        self._metric = metric

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Measure the densities of the training clips."""
        from sklearn.neighbors import LocalOutlierFactor as Factor

        count = len(embeddings)
        require_clips("lof", count, self._k + 1, "lof.n_neighbors", count - 1, smallest=2)
        self._model = Factor(n_neighbors=self._k, metric=self._metric, novelty=True).fit(np.asarray(embeddings, float))

    def score(self, embeddings: Embeddings) -> Scores:
        """Local outlier factor of each row, float64 (n,); about 1 inside a cluster."""
        return np.asarray(-self._model.score_samples(np.asarray(embeddings, float)), np.float64)

    def training_scores(self) -> Scores | None:
        """Factors of the training clips among each other."""
        return np.asarray(-self._model.negative_outlier_factor_, np.float64)
