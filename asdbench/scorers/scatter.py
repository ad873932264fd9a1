"""Covariances of training rows without some of them, by downdating sums in place of passes over the others.

Of n rows with mean m and products ``S = sum (x - m)(x - m)^T``, leave out k; D are these, less m, and s is their sum.
The others have the mean ``m - s / (n - k)`` and the products ``S - D^T (I + 1 1^T / (n - k)) D``. That costs k products
of vectors where a fit costs n. Ledoit and Wolf's shrinkage needs, beside the products, the sum of ``|x - m|^4`` alone.
Distances come from Cholesky's factors, in a twentieth of the time of a pseudo-inverse; where that may differ from the
inverse, they come from the pseudo-inverse, as in a fit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from asdbench.scorers.bank import Distances, Rows
from asdbench.scorers.base import Mask

EPSILON = float(np.finfo(np.float64).eps)
REMAINING = 0.1  # of the sum of squares; from less, what is left out takes too many digits along
ALONG = 1e6  # how much more rows may vary along themselves than across, for a formula that subtracts
BLOCK = 2048  # rows at a time


@dataclass(frozen=True)
class Spread:
    """An estimated covariance C.

    Attributes:
        of_offsets: of rows less the mean (n, dim), gives ``x^T C^+ x``, (n,).
        rank: of C.
        singular: whether it is.
        precision: C^+ where it was computed, else empty, (dim, dim).
    """

    of_offsets: Callable[[Distances], Distances]
    rank: int
    singular: bool
    precision: Distances = field(default_factory=lambda: np.empty((0, 0)))

    @classmethod
    def inverted(cls, precision: Distances, rank: int) -> Self:
        """Of a (pseudo-)inverse; scikit-learn's own distances take ten times as long."""
        return cls(
            lambda offsets: np.einsum("ij,ij->i", offsets @ precision, offsets),
            rank,
            rank < len(precision),
            precision,
        )

    def squared(self, rows: Rows, mean: Distances) -> Distances:
        """``(x - mean)^T C^+ (x - mean)`` of each row, (n,)."""
        found = np.empty(len(rows))
        for first in range(0, len(rows), BLOCK):
            found[first : first + BLOCK] = self.of_offsets(rows[first : first + BLOCK] - mean)
        return np.maximum(found, 0.0)


@dataclass(frozen=True)
class Moments:
    """What a covariance is estimated from.

    Attributes:
        count: rows.
        mean: of them, (dim,).
        fourth: sum of ``|x - mean|^4``.
        offsets: rows less their mean, (count, dim), where there are not more of them than dimensions; else None.
        summed: sum over rows of (x - mean)(x - mean)^T, (dim, dim), where there are more.
    """

    count: int
    mean: Distances
    fourth: float
    offsets: Distances | None
    summed: Distances | None

    @classmethod
    def of(cls, rows: Distances) -> Self:
        """Of rows (n, dim)."""
        mean = rows.mean(axis=0)
        offsets = rows - mean
        squared = np.einsum("ij,ij->i", offsets, offsets)
        few = len(rows) <= rows.shape[1]
        return cls(
            len(rows),
            mean,
            float(squared @ squared),
            offsets if few else None,
            None if few else offsets.T @ offsets,
        )

    def __add__(self, other: "Moments") -> "Moments":
        """Of both about their own means, as discriminant analysis pools them; the mean is the first one's."""
        count, fourth = self.count + other.count, self.fourth + other.fourth
        if self.offsets is not None and other.offsets is not None and count <= self.mean.size:
            return Moments(count, self.mean, fourth, np.concatenate([self.offsets, other.offsets]), None)
        return Moments(count, self.mean, fourth, None, self.products() + other.products())

    def products(self) -> Distances:
        """Sum over rows of (x - mean)(x - mean)^T, (dim, dim)."""
        if self.summed is not None:
            return self.summed
        assert self.offsets is not None
        return np.asarray(self.offsets.T @ self.offsets)

    def shrinkage(self) -> tuple[float, float]:
        """Ledoit and Wolf's (2004), as scikit-learn computes it, and the mean variance of a dimension."""
        dim = self.mean.size
        # The products of rows with each other have the same trace and the same sum of squares.
        products = self.summed if self.offsets is None else self.offsets @ self.offsets.T
        assert products is not None
        trace = float(np.trace(products)) / self.count
        squares = float(np.vdot(products, products)) / self.count**2
        delta = (squares - trace**2 / dim) / dim
        beta = min((self.fourth / self.count - squares) / (dim * self.count), delta)
        return (beta / delta if beta and dim > 1 else 0.0), trace / dim

    def spread(self, *, shrunk: bool) -> Spread:
        """The covariance by maximum likelihood, or shrunk by Ledoit and Wolf's formula."""
        dim = self.mean.size
        shrinkage, variance = self.shrinkage() if shrunk else (0.0, 0.0)
        across = shrinkage * variance
        if self.offsets is not None and across <= 0:
            return _of_few(self.offsets)
        if self.offsets is not None and 2 * self.count <= dim and across * ALONG > variance * dim:
            return _of_few_shrunk(self.offsets, (1 - shrinkage) / self.count, across)
        covariance = self.products() / self.count
        if across > 0:
            covariance *= 1 - shrinkage
            covariance.flat[:: dim + 1] += across
        factored = _factored(covariance)
        if factored is not None:
            return factored
        from scipy.linalg import pinvh

        inverse, rank = pinvh(covariance, return_rank=True, check_finite=False)
        return Spread.inverted(np.asarray(inverse, np.float64), dim if across > 0 else int(rank))


class Scatter:
    """Training rows that some may be left out of.

    Args:
        rows: (n, dim); they are copied.

    Examples:
        >>> import numpy as np
        >>> rows = np.random.default_rng(0).normal(size=(50, 4))
        >>> left_out = np.arange(50) < 5
        >>> moments = Scatter(rows).without(left_out)
        >>> bool(np.allclose(moments.products() / 45, np.cov(rows[5:].T, bias=True)))
        True
    """

    def __init__(self, rows: Distances) -> None:
        self._mean = rows.mean(axis=0)
        self._offsets = rows - self._mean
        self._products = self._offsets.T @ self._offsets if len(rows) > self._mean.size else None
        self._squared = np.einsum("ij,ij->i", self._offsets, self._offsets)

    def without(self, left_out: Mask) -> Moments:
        """Mean and sums of the rows that are not left out (n,)."""
        remain, gone = ~left_out, self._offsets[left_out]
        count = len(remain) - len(gone)
        if self._products is None or count <= max(self._mean.size, len(gone)):
            return self._anew(remain)
        total = gone.sum(axis=0)
        # (I + 1 1^T / count) is the square of (I + factor 1 1^T).
        factor = (np.sqrt(1 + len(gone) / count) - 1) / max(len(gone), 1)
        taken = gone + factor * total
        products = self._products - taken.T @ taken
        if np.trace(products) < REMAINING * np.trace(self._products):
            return self._anew(remain)
        shift = -total / count
        squared = (self._squared - 2 * (self._offsets @ shift) + shift @ shift)[remain]
        return Moments(count, self._mean + shift, float(squared @ squared), None, products)

    def _anew(self, remain: Mask) -> Moments:
        """Not downdated, where little would be saved or digits lost."""
        found = Moments.of(self._offsets[remain])
        return Moments(found.count, self._mean + found.mean, found.fourth, found.offsets, found.summed)


def _factored(covariance: Distances) -> Spread | None:
    """By Cholesky's factor L, ``|L^-1 x|^2``; None unless the pseudo-inverse is surely the same.

    That leaves out what is below dim * eps of the largest eigenvalue. The condition in the 1-norm is above that in
    eigenvalues, and its estimate hardly ever a third below.
    """
    from scipy.linalg.lapack import dpocon, dpotrf, dtrtrs

    dim = len(covariance)
    factor, failed = dpotrf(covariance.T, lower=1)  # symmetric, and so in Fortran's order
    if failed:
        return None
    condition, _ = dpocon(factor, np.abs(covariance).sum(axis=0).max(), uplo="L")
    if not condition > 10 * dim * EPSILON:
        return None

    def of_offsets(offsets: Distances) -> Distances:
        solved, _ = dtrtrs(factor, offsets.T, lower=1)
        return np.asarray(np.square(solved).sum(axis=0))

    return Spread(of_offsets, dim, False)


def _of_few(offsets: Distances) -> Spread:
    """The covariance by maximum likelihood of no more rows than dimensions, which span few of these."""
    count, dim = offsets.shape
    _, singular, axes = np.linalg.svd(offsets, full_matrices=False)
    rank = int(np.sum(singular**2 > singular[0] ** 2 * dim * EPSILON))
    scaled = axes[:rank] * (np.sqrt(count) / singular[:rank, None])
    return Spread(lambda given: np.square(given @ scaled.T).sum(axis=1), rank, rank < dim)


def _of_few_shrunk(offsets: Distances, share: float, across: float) -> Spread:
    """``share X^T X + across I`` of few rows X, by Woodbury's formula."""
    from scipy.linalg.lapack import dpotrf, dtrtrs

    gram = share * (offsets @ offsets.T)
    gram.flat[:: len(gram) + 1] += across
    factor, _ = dpotrf(gram, lower=1)

    def of_offsets(given: Distances) -> Distances:
        along, _ = dtrtrs(factor, offsets @ given.T, lower=1)
        return np.asarray(np.square(given).sum(axis=1) - share * np.square(along).sum(axis=0)) / across

    return Spread(of_offsets, offsets.shape[1], False)
