"""Mahalanobis distance under three estimates of the covariance, all of scikit-learn."""

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np

from asdbench.scorers.bank import Distances, Rows
from asdbench.scorers.base import ArrayScorer, Clips, Scores, require_clips, require_variety

BLOCK = 2048  # rows at a time


def squared_distances(rows: Rows, mean: Distances, precision: Distances) -> Distances:
    """``(x - mean)^T precision (x - mean)`` of each row, (n,); scikit-learn's own takes ten times as long."""
    squared = np.empty(len(rows))
    for first in range(0, len(rows), BLOCK):
        offset = rows[first : first + BLOCK] - mean
        squared[first : first + BLOCK] = np.einsum("ij,ij->i", offset @ precision, offset)
    return np.maximum(squared, 0.0)


def fit_quietly(estimator: Any, rows: Distances) -> Any:
    """The covariance estimator, fitted; that the covariance is singular is noted, not warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(rows)


def rank_of(covariance: Distances) -> int:
    """Dimensions that the covariance spans."""
    return int(np.linalg.matrix_rank(covariance, hermitian=True))


def singular_note(clips: str, dimensions: int, rank: int) -> str:
    """What the user should know of a singular covariance of ``clips`` ("10 target")."""
    return (
        f"the covariance of {clips} clips in {dimensions} dimensions is singular (rank {rank}); "
        "its pseudo-inverse is used"
    )


class Mahalanobis(ArrayScorer):
    """``sqrt((x - mean)^T C^+ (x - mean))`` with C estimated from the training embeddings.

    C^+ is the inverse, or the Moore-Penrose pseudo-inverse when C is singular: distances are then measured within
    the space that the training clips span. That is said in ``notes``.
    """

    @abstractmethod
    def _estimator(self) -> Any:
        """The covariance estimator, unfitted."""

    def _learn(self, rows: Distances, clips: Clips) -> None:
        require_clips("a covariance", len(rows), 2)
        require_variety(rows, "there is no covariance")
        self._model = fit_quietly(self._estimator(), rows)
        rank = rank_of(self._model.covariance_)
        if rank < rows.shape[1]:
            self.notes.append(singular_note(f"{len(rows)} training", rows.shape[1], rank))

    def _score(self, rows: Distances) -> Scores:
        return np.sqrt(squared_distances(rows, self._model.location_, self._model.get_precision()))


class MaximumLikelihood(Mahalanobis):
    """Covariance by maximum likelihood (Shin and Lee, 2023, section 2.2)."""

    name = "mahalanobis-ml"

    def _estimator(self) -> Any:
        from sklearn.covariance import EmpiricalCovariance

        return EmpiricalCovariance()


class Shrunk(Mahalanobis):
    """Covariance shrunk towards a multiple of the identity (Ledoit and Wolf, 2004); never singular in practice."""

    name = "mahalanobis-lw"

    def _estimator(self) -> Any:
        from sklearn.covariance import LedoitWolf

        return LedoitWolf()


class Elliptic(Mahalanobis):
    """Robust covariance of the most concentrated clips (minimum covariance determinant, elliptic envelope).

    The estimate rests on a support of (n + dim + 1) / 2 clips. Where that is all of them, it is the
    maximum-likelihood estimate but for a factor, and is taken from there without the search.

    Args:
        support_fraction: share of the clips in the support; 0 lets the method choose.
    """

    name = "elliptic-envelope"

    def __init__(self, *, support_fraction: float) -> None:
        super().__init__()
        self._support_fraction = support_fraction
        self._searched = True

    def _learn(self, rows: Distances, clips: Clips) -> None:
        count, dim = rows.shape
        support = self._support_fraction * count if self._support_fraction else (count + dim + 1) / 2
        self._searched = support < count
        super()._learn(rows, clips)
        if not self._searched:
            self.notes.append(
                f"the elliptic envelope's support of (n + dim + 1) / 2 clips is all {count} of them, "
                "so it orders clips as mahalanobis-ml does"
            )

    def _estimator(self) -> Any:
        from sklearn.covariance import EllipticEnvelope, EmpiricalCovariance

        if not self._searched:
            return EmpiricalCovariance()
        return EllipticEnvelope(support_fraction=self._support_fraction or None, random_state=self.seed)

    def training_scores(self) -> Scores | None:
        """In-sample, as the official baselines do: five more searches would cost minutes on a full data set."""
        if not self._searched:
            return None
        return np.sqrt(np.maximum(np.asarray(self._model.dist_, np.float64), 0.0))
