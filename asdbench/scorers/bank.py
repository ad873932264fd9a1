"""Banks of reference embeddings, and how far the nearest of them are, by Euclidean or cosine distance."""

import numpy as np
from numpy.typing import NDArray

from asdbench.scorers.nearest import NearestRows

Rows = NDArray[np.floating]
Distances = NDArray[np.float64]


def directions(rows: Rows) -> Distances:
    """The rows scaled to length 1, float64 (n, dim); rows of length zero stay."""
    wide = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(lengths == 0, 1.0, lengths))


def placed(rows: Rows, metric: str) -> Rows:
    """Rows (n, dim or dim + 1) whose Euclidean distances tell those of the metric, through ``by_metric``.

    Cosine distance, ``1 - cos``, is half the squared Euclidean distance of the directions. A row of length zero has
    no direction: one more column puts it at distance 1 from every row that has one.
    """
    if metric == "euclidean":
        return rows
    unit = directions(rows)
    return np.column_stack([unit, ~unit.any(axis=1)])


def by_metric(distances: Distances, metric: str) -> Distances:
    """Euclidean distances of ``placed`` rows as distances of the metric."""
    return distances if metric == "euclidean" else distances**2 / 2


class Bank:
    """Reference embeddings that tell the mean distance to the k nearest of them.

    Args:
        rows: finite, (n, dim), at least one.
        k: neighbours wanted; a bank that has fewer beside a clip of its own takes as many as it has.
        metric: "euclidean" or "cosine".

    Attributes:
        k: neighbours taken.
    """

    def __init__(self, rows: Rows, k: int, metric: str) -> None:
        self.k = min(k, max(1, len(rows) - 1))
        self._wanted = k
        self._metric = metric
        self._count = len(rows)
        self._nearest = NearestRows(placed(rows, metric))

    def __len__(self) -> int:
        return self._count

    def short_note(self, name: str, what: str = "clips") -> list[str]:
        """What the user should know of the bank of that name where it has too few rows; else nothing."""
        if self.k == self._wanted:
            return []
        return [f"the {name} bank has {len(self)} {what}; {self.k} neighbours are taken, not {self._wanted}"]

    def distances(self, queries: Rows) -> Distances:
        """Mean distance to the k nearest rows, float64 (m,)."""
        found = self._nearest.distances(placed(queries, self._metric), self.k)
        return np.asarray(by_metric(found, self._metric).mean(axis=1))

    def distances_within(self) -> Distances:
        """The same for each row among the others, float64 (n,); infinite for a bank of one."""
        if self._count == 1:
            return np.array([np.inf])
        return np.asarray(by_metric(self._nearest.distances_within(self.k), self._metric).mean(axis=1))
