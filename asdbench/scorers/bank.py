"""A bank of reference rows and the distances to the nearest of them, for every scorer that looks at neighbours.

One matrix product in single precision, in large banks of a few principal axes only, gives a lower bound of every
distance. It leaves few candidates for each query: the rows whose bounds do not exceed the distance of the k-th. Only
these are measured, in double precision. So the distances depend neither on the rounding of the product nor on threads
or blocks, and nearly equal rows, for which |a|^2 - 2 a.b + |b|^2 cancels, are measured as exactly as all others.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating]
Distances = NDArray[np.float64]
Places = NDArray[np.intp]

PRODUCTS = 2**24  # numbers of a matrix product at a time
MEASURED = 2**16  # numbers measured at a time
BLOCK = 1024  # rows prepared at a time
MANY = 20_000  # rows from which on the bounds may be those of fewer dimensions,
EXPLAINED = 0.99  # which hold this share of the variance
WORTH = 0.002  # share of the rows that are measured, above which a product of all dimensions is faster
UNIT = 2.0**-24  # of rounding in single precision
SMALLEST = 1e-33  # more than underflow takes away from a product


def directions(rows: Rows) -> Distances:
    """The rows scaled to length 1, float64 (n, dim); rows of length zero stay."""
    wide = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(lengths == 0, 1.0, lengths))


def placed(rows: Rows, metric: str) -> Rows:
    """Rows (n, dim or dim + 1) whose Euclidean distances ``by_metric`` turns into those of the metric.

    Cosine distance, ``1 - cos``, is half the squared Euclidean distance of the directions. A row of length zero has
    no direction: one more column puts it at distance 1 from every row that has one.
    """
    if metric != "cosine":
        return rows
    unit = directions(rows)
    return np.column_stack([unit, ~unit.any(axis=1)])


def by_metric(distances: Distances, metric: str) -> Distances:
    """Distances of ``placed`` rows as distances of the metric."""
    return distances**2 / 2 if metric == "cosine" else distances


class Bank:
    """Reference embeddings that can be asked for the distances to the k nearest of them.

    Args:
        rows: finite, (n, dim), at least one.
        k: neighbours wanted; a bank with fewer rows beside one of its own clips takes as many as it has.
        metric: "euclidean", "cosine" or "manhattan".

    Attributes:
        k: neighbours taken.
    """

    def __init__(self, rows: Rows, k: int, metric: str) -> None:
        self.k = min(k, max(1, len(rows) - 1))
        self._wanted = k
        self._metric = metric
        self._rows = np.ascontiguousarray(placed(rows, metric))
        if metric == "manhattan":
            from sklearn.neighbors import NearestNeighbors

            self._library: Any = NearestNeighbors(n_neighbors=self.k, metric=metric).fit(np.asarray(rows, np.float64))
            return
        self._mean = self._rows.mean(axis=0, dtype=np.float64).astype(self._rows.dtype)
        largest = max(float(self._rows.max()), -float(self._rows.min()))
        self._scale = 2.0 ** -max(math.frexp(largest)[1], -60)  # squares fit single precision
        self._summarise(self._leading_axes())

    def __len__(self) -> int:
        return len(self._rows)

    def short_note(self, name: str, what: str = "clips") -> list[str]:
        """What the user should know of the bank of that name where it has too few rows; else nothing."""
        if self.k == self._wanted:
            return []
        return [f"the {name} bank has {len(self)} {what}; {self.k} neighbours are taken, not {self._wanted}"]

    def mean_distances(self, queries: Rows) -> Distances:
        """Mean distance to the k nearest rows, float64 (m,)."""
        return np.asarray(self.distances(queries).mean(axis=1))

    def mean_distances_within(self) -> Distances:
        """The same for each row among the others, float64 (n,); infinite for a bank of one."""
        return np.asarray(self.distances_within().mean(axis=1))

    def distances(self, queries: Rows) -> Distances:
        """Distances to the k nearest rows, nearest first, float64 (m, k)."""
        if self._metric == "manhattan":
            return np.asarray(self._library.kneighbors(np.asarray(queries, np.float64))[0])
        return self._search(placed(queries, self._metric), within=False)

    def distances_within(self) -> Distances:
        """The same for each row among the others, float64 (n, k); infinite for a bank of one."""
        if len(self) == 1:
            return np.array([[np.inf]])
        if self._metric == "manhattan":
            return np.asarray(self._library.kneighbors()[0])
        return self._search(self._rows, within=True)

    def _search(self, queries: Rows, within: bool) -> Distances:
        squared = np.empty((len(queries), self.k))
        step = max(1, PRODUCTS // len(self))
        for first in range(0, len(queries), step):
            block = slice(first, first + step)
            squared[block] = self._nearest(queries[block], np.arange(len(queries))[block] if within else None)
        return by_metric(np.sqrt(squared), self._metric)

    def _nearest(self, queries: Rows, itself: Places | None) -> Distances:
        """Squared distances to the k nearest, nearest first, (m, k); ``itself`` is each query's place in the bank.

        With ``P`` an orthonormal projection and ``q`` the length of what it leaves out, ``|x - r|^2`` is at least
        ``|x|^2 + |r|^2 - 2 (Px.Pr + q(x) q(r))``. The product gives that less |x|^2, divided by at least 1 and |x| so
        that nothing overflows. In precision u it is off by ``g |r| (2 |x| + |r|)`` at most, ``g = (dim + 5) u``
        (Higham, 2002, section 3.1). All rows that may count have ``|r| <= |x| + d``, d the distance of the k-th; where
        d is not measured the error counts twice, and half as much again makes up for d, which is off as well.
        """
        short, squared = self._summary(queries)
        length = np.sqrt(squared)
        divisor = np.maximum(length, 1)
        bounds = np.column_stack([short / (-divisor[:, None] / 2), 1 / divisor]).astype(np.float32) @ self._factors.T
        if itself is not None:
            bounds[np.arange(len(itself)), itself] = np.inf
        kth = _about_kth(bounds, self.k)
        if self._axes is not None:  # the nearest by their bounds may be far
            nearest = self._measured(queries, bounds <= kth[:, None])
            kth = (nearest[:, -1] * self._scale**2 - squared) / divisor
        reach = length + np.sqrt(np.maximum(kth * divisor + squared, 0.0))
        error = (queries.shape[1] + 5) * UNIT * reach * (2 * length + reach) / divisor + SMALLEST
        candidates = bounds <= (kth + 2.5 * error).astype(np.float32)[:, None]
        worth = len(queries) * (WORTH * len(self) + 4 * self.k)
        if self._axes is not None and np.count_nonzero(candidates) > worth:
            self._summarise(None)
            return self._nearest(queries, itself)
        return self._measured(queries, candidates)

    def _measured(self, queries: Rows, candidates: NDArray[np.bool_]) -> Distances:
        """The k smallest squared distances to the candidates (m, n) of each query, (m, k); there are k or more each."""
        asked, rows = np.divmod(np.flatnonzero(candidates), len(self))
        squared = np.empty(len(rows))
        step = max(1, MEASURED // queries.shape[1])
        for first in range(0, len(rows), step):
            pairs = slice(first, first + step)
            offset = np.subtract(self._rows[rows[pairs]], queries[asked[pairs]], dtype=np.float64)
            squared[pairs] = np.square(offset, out=offset).sum(axis=1)
        nearest_first = squared[np.lexsort((squared, asked))]
        starts = np.searchsorted(asked, np.arange(len(queries)))
        return np.asarray(nearest_first[starts[:, None] + np.arange(self.k)])

    def _leading_axes(self) -> Distances | None:
        """Principal axes (dim, few) that explain nearly all variance; None where these are many or the rows few."""
        if len(self) < MANY:
            return None
        sample = np.asarray((self._rows[:: 1 + len(self) // (4 * BLOCK)] - self._mean) * self._scale, np.float64)
        variances, axes = np.linalg.eigh(sample.T @ sample)
        explained = np.cumsum(variances[::-1])
        count = int(np.searchsorted(explained, EXPLAINED * explained[-1])) + 1
        return np.asarray(axes[:, ::-1][:, :count]) if count <= len(axes) // 4 else None

    def _summarise(self, axes: Distances | None) -> None:
        self._axes = axes
        width = self._rows.shape[1] if axes is None else axes.shape[1] + 1
        self._factors = np.empty((len(self), width + 1), np.float32)
        for first in range(0, len(self), BLOCK):
            block = slice(first, first + BLOCK)
            self._factors[block, :-1], self._factors[block, -1] = self._summary(self._rows[block])

    def _summary(self, rows: Rows) -> tuple[Rows, Distances]:
        """Rows less the bank's mean, in its scale and its axes, the last column what these leave, and their squares."""
        centred = (rows - self._mean) * self._scale
        squared = np.einsum("ij,ij->i", centred, centred, dtype=np.float64)
        if self._axes is None:
            return centred, squared
        along = centred @ self._axes
        left = np.sqrt(np.maximum(squared - np.einsum("ij,ij->i", along, along), 0.0))
        return np.column_stack([along, left]), squared


def _about_kth(bounds: Rows, k: int) -> Rows:
    """A number that at least k, and hardly more, of each query's bounds do not exceed: the k-th minimum of groups."""
    groups = max(128, 16 * k)
    count = bounds.shape[1] // groups
    if count >= 2:
        bounds = bounds[:, : count * groups].reshape(-1, count, groups).min(axis=1)
    return np.asarray(np.partition(bounds, k - 1, axis=1)[:, k - 1])
