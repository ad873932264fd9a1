"""Mahalanobis distance under three estimates of the covariance, all of scikit-learn."""

import copy
import warnings
from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from asdbench.scorers.bank import Distances
from asdbench.scorers.base import (
    ArrayScorer,
    Clips,
    Embeddings,
    Mask,
    Scores,
    doubles,
    require_clips,
    require_variety,
)
from asdbench.scorers.scatter import Scatter, Spread

SMALLEST = 1e-9  # of n; a row with less room spans a direction alone


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


def leave_one_out(rows: Distances) -> Scores | None:
    """Mahalanobis distance of each of n rows by mean and covariance (maximum likelihood) of the others, float64 (n,).

    With the singular values and left vectors of the centred rows, H = U U^T and P = U S^-2 U^T:

    - where n > dim + 1, the squared distance is n a / (n - 1 - a) with a = n H_ii (Sherman and Morrison's formula);
    - where the rows span n - 1 dimensions, it is (n - 1) sum_j (P_ij / P_ii)^2 - 1 over the other rows j, by the
      pseudo-inverse: -P_ij / P_ii are the weights that make the row's projection onto the others' span of them.

    Returns:
        None where rows are equal, or one spans a direction alone: the formulas do not hold.
    """
    count, dim = rows.shape
    left, singular, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    rank = int(np.sum(singular > singular[0] * max(rows.shape) * np.finfo(np.float64).eps))
    left, singular = left[:, :rank], singular[:rank]
    if rank == count - 1:
        weights = (left / singular**2) @ left.T
        weights /= np.diag(weights)[:, None].copy()
        return np.asarray(np.sqrt(np.maximum((count - 1) * (np.square(weights).sum(axis=1) - 1) - 1, 0.0)))
    squared = count * np.square(left).sum(axis=1)
    room = count - 1 - squared
    if rank < dim or (room <= SMALLEST * count).any():
        return None
    return np.asarray(np.sqrt(count * squared / room))


class Mahalanobis(ArrayScorer):
    """``sqrt((x - mean)^T C^+ (x - mean))`` with C estimated from the training embeddings.

    C^+ is the inverse, or the Moore-Penrose pseudo-inverse when C is singular: distances are then measured within
    the space that the training clips span. That is said in ``notes``.
    """

    shrunk: ClassVar[bool] = False  # the covariance

    def __init__(self) -> None:
        super().__init__()
        self._training: Embeddings = np.empty((0, 0))
        self._gone: Mask = np.empty(0, np.bool_)  # which of them this scorer has not seen
        self._scatter: Scatter | None = None

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Learn from training embeddings (n, dim)."""
        super().fit(embeddings, clips)
        self._training = np.asarray(embeddings)
        self._gone = np.zeros(len(self._training), np.bool_)
        return self

    def without(self, left_out: Mask) -> Self | None:
        """As a fit to the other clips, by downdating mean and covariance."""
        if self._scatter is None:
            self._scatter = Scatter(doubles(self.name, self._training))
        other = copy.copy(self)
        other.notes = []
        other._gone = self._gone.copy()
        other._gone[~self._gone] = left_out
        seen = self._training[~other._gone]
        require_clips("a covariance", len(seen), 2)
        require_variety(seen, "there is no covariance")
        moments = self._scatter.without(other._gone)
        other._mean, other._spread = moments.mean, moments.spread(shrunk=self.shrunk)
        return other

    @abstractmethod
    def _estimator(self) -> Any:
        """The covariance estimator, unfitted."""

    def _learn(self, rows: Distances, clips: Clips) -> None:
        require_clips("a covariance", len(rows), 2)
        require_variety(rows, "there is no covariance")
        self._model = fit_quietly(self._estimator(), rows)
        rank = rank_of(self._model.covariance_)
        self._mean, self._spread = self._model.location_, Spread.inverted(self._model.get_precision(), rank)
        if rank < rows.shape[1]:
            self.notes.append(singular_note(f"{len(rows)} training", rows.shape[1], rank))

    def _score(self, rows: Distances) -> Scores:
        return np.sqrt(self._spread.squared(rows, self._mean))


class MaximumLikelihood(Mahalanobis):
    """Covariance by maximum likelihood (Shin and Lee, 2023, section 2.2)."""

    name = "mahalanobis-ml"

    def _estimator(self) -> Any:
        from sklearn.covariance import EmpiricalCovariance

        return EmpiricalCovariance()

    def held_out_scores(self) -> Scores | None:
        """Distance of each clip by mean and covariance of the others; None where one spans a direction alone."""
        return leave_one_out(doubles(self.name, self._training[~self._gone]))


class Shrunk(Mahalanobis):
    """Covariance shrunk towards a multiple of the identity (Ledoit and Wolf, 2004); never singular in practice."""

    name = "mahalanobis-lw"
    shrunk = True

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

    def without(self, left_out: Mask) -> Self | None:
        """Downdated where the support is all clips; else None, since a search without them may find another support."""
        return None if self._searched else super().without(left_out)

    def training_scores(self) -> Scores | None:
        """In-sample, as the official baselines do: five more searches would cost minutes on a full data set."""
        if not self._searched:
            return None
        return np.sqrt(np.maximum(np.asarray(self._model.dist_, np.float64), 0.0))

    def held_out_scores(self) -> Scores | None:
        """Each clip by the estimate without it, out of the clips that the search has found; without a search, of all.

        Clips outside the support did not shape the estimate. One of its m clips, at the squared distance a by their
        covariance, is at m a / (m - 1 - a) by that of the others (Sherman and Morrison's formula).
        """
        if not self._searched:
            return leave_one_out(doubles(self.name, self._training[~self._gone]))
        squared, support = np.asarray(self._model.dist_, np.float64), self._model.support_
        count, dim = int(support.sum()), self._model.location_.size
        scale = squared[support].sum() / (count * dim)  # 1, but for scikit-learn's consistency factor
        own = squared / scale if scale > 0 else squared
        if count - 1 <= dim or (own[support] >= count - 1).any():
            return None
        left_out = np.where(support, count * own / (count - 1 - np.where(support, own, 0.0)), own)
        return np.asarray(np.sqrt(np.maximum(left_out * scale, 0.0)), np.float64)
