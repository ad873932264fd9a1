"""A bank of reference rows and the distances to the nearest of them, for every scorer that looks at neighbours.

One matrix product in single precision leaves few candidates for each query: the rows that rounding may have put behind
the k-th nearest. Only these are measured, in double precision and one by one. So the distances depend neither on the
rounding of the product nor on threads or blocks, and nearly equal rows, for which |a|^2 - 2 a.b + |b|^2 cancels, are
measured as exactly as all others.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating]
Distances = NDArray[np.float64]
Places = NDArray[np.intp]

PRODUCTS = 2**20  # numbers of a matrix product at a time,
QUERIES = 128  # but no fewer queries
MEASURED = 2**18  # numbers measured at a time
BLOCK = 1024  # rows made ready at a time
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
        k: neighbours wanted; a bank that has fewer beside a clip of its own takes as many as it has.
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
        self._factors = np.empty((len(rows), self._rows.shape[1] + 1), np.float32)
        for first in range(0, len(rows), BLOCK):
            block = slice(first, first + BLOCK)
            self._factors[block, :-1], self._factors[block, -1] = self._centred(self._rows[block])

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
        step = max(QUERIES, PRODUCTS // len(self))
        for first in range(0, len(queries), step):
            block = slice(first, first + step)
            itself = np.arange(len(queries))[block] if within else None
            squared[block] = self._squared_distances(queries[block], itself)
        return by_metric(np.sqrt(squared), self._metric)

    def _squared_distances(self, queries: Rows, itself: Places | None) -> Distances:
        """Squared distances to the k nearest, nearest first, (m, k); ``itself`` is each query's place in the bank."""
        products, limit = self._products(queries, itself)
        asked, rows = np.divmod(np.flatnonzero(products <= limit[:, None]), len(self))
        squared = np.empty(len(rows))
        step = max(1, MEASURED // queries.shape[1])
        for first in range(0, len(rows), step):
            pairs = slice(first, first + step)
            offset = np.subtract(self._rows[rows[pairs]], queries[asked[pairs]], dtype=np.float64)
            squared[pairs] = np.square(offset, out=offset).sum(axis=1)
        nearest_first = squared[np.lexsort((squared, asked))]
        starts = np.searchsorted(asked, np.arange(len(queries)))
        return np.asarray(nearest_first[starts[:, None] + np.arange(self.k)])

    def _products(self, queries: Rows, itself: Places | None) -> tuple[Rows, Rows]:
        """``(|r|^2 - 2 x.r) / s`` of queries x and rows r, (m, n), and what it does not exceed for the k nearest, (m,).

        With s, at least 1 and |x|, nothing overflows. In precision u the product is off by ``g |r| (2 |x| + |r|)`` at
        most, ``g = (dim + 5) u`` (Higham, 2002, section 3.1). The k rows of the smallest products and all that may be
        nearer have ``|r| <= |x| + d``, d the distance of the k-th; the error counts for both, and a quarter as much
        again makes up for d, which is off as well.
        """
        centred, squared = self._centred(queries)
        length = np.sqrt(squared)
        divisor = np.maximum(length, 1)
        factors = np.column_stack([centred / (-divisor[:, None] / 2), 1 / divisor]).astype(np.float32)
        products = factors @ self._factors.T
        if itself is not None:
            products[np.arange(len(itself)), itself] = np.inf
        kth = np.partition(self._smallest(products), self.k - 1, axis=1)[:, self.k - 1].astype(np.float64)
        reach = length + np.sqrt(np.maximum(kth * divisor + squared, 0.0))
        error = (queries.shape[1] + 5) * UNIT * reach * (2 * length + reach) / divisor + SMALLEST
        return products, (kth + 2.5 * error).astype(np.float32)

    def _smallest(self, products: Rows) -> Rows:
        """The products, or, where there are many, the smallest of each of some groups: k of these are soon found."""
        groups = max(128, 16 * self.k)
        count = len(self) // groups
        if count < 2:
            return products
        return np.asarray(products[:, : count * groups].reshape(-1, count, groups).min(axis=1))

    def _centred(self, rows: Rows) -> tuple[Rows, Distances]:
        """Rows less the bank's mean, in its scale, (n, dim), and their squared lengths, (n,)."""
        centred = (rows - self._mean) * self._scale
        return centred, np.einsum("ij,ij->i", centred, centred, dtype=np.float64)
