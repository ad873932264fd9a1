"""Distances to reference rows, rescaled by how near these rows are to each other there."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from asdbench.scorers.bank import Bank, Distances, Places, Rows, by_metric, placed

NUMBERS = 2**24  # distances at a time
ROUNDING = 1 + 1e-12  # two ways of measuring a distance differ by less
SPREAD = 1e-9  # of the mean; densities that differ by less are the same


def bank_of(rows: Rows, k: int, metric: str, rescale: str, rescale_k: int) -> Bank:
    """A bank whose distances are rescaled, or a plain one where ``rescale`` is "none"."""
    return Bank(rows, k, metric) if rescale == "none" else RescaledBank(rows, k, metric, rescale, rescale_k)


class RescaledBank(Bank):
    """A bank whose distances to each row y are rescaled by b(y), the mean distance from y to its K nearest others.

    - "ratio": ``d(x, y) / (K b(y))``, local density normalisation (Wilkinghoff et al., 2025). Where there are fewer
      than K others the sum is K times their mean distance: banks of few clips stay comparable.
    - "difference": ``d(x, y) - b(y)``, its difference form.
    - "varmin": ``d(x, y) - alpha b(y)``. With d_i the distance from row i to the nearest other and b(i) that row's
      density, alpha = Cov(d, b) / Var(b) makes the variance of the rows' own scores d - alpha b the smallest; 0 where
      all b are the same. It is not clipped.

    Scores of the last two may be negative. In a bank of one row b is 0, and distances stay as they are.

    Args:
        rows: finite, (n, dim), at least one.
        k: neighbours of a query wanted, after the distances are rescaled.
        metric: "euclidean", "cosine" or "manhattan".
        rescale: "ratio", "difference" or "varmin".
        rescale_k: K; all others where there are fewer.

    Attributes:
        sums: float64 (n,), K b(y); 0 where K others are the same.
        floor: the least that "ratio" divides by, instead of 0: the smallest sum above 0.
    """

    def __init__(self, rows: Rows, k: int, metric: str, rescale: str, rescale_k: int) -> None:
        super().__init__(rows, k, metric)
        self._rescale = rescale
        self._wanted_k = rescale_k
        self._taken = min(rescale_k, len(rows) - 1)
        self._near = Bank(rows, rescale_k + 1, metric).distances_within() if len(rows) > 1 else np.zeros((1, 0))
        self._totals = self._near[:, : self._taken].sum(axis=1)
        self.sums = self._totals * (rescale_k / max(self._taken, 1))
        self.floor = float(np.min(self.sums, where=self.sums > 0, initial=np.inf))
        if not np.isfinite(self.floor):
            self.floor = 1.0
        self._nearest_two: Places = np.zeros((len(rows), 2), np.intp)
        if rescale == "varmin" and len(rows) > 1:
            self._nearest_two = np.concatenate([self._two(*block) for block in self._from(self._rows)])

    def short_note(self, name: str, what: str = "clips") -> list[str]:
        """The same for the neighbours of a query and for those that tell the density."""
        notes = super().short_note(name, what)
        if self._taken < self._wanted_k:
            few = f"{self._taken} neighbours are taken, not {self._wanted_k}, for the density"
            notes.append(f"the {name} bank has {len(self)} {what}; {few}")
        return notes

    def distances(self, queries: Rows) -> Distances:
        """The k smallest rescaled distances, smallest first, float64 (m, k)."""
        divisors, offsets = self.terms()
        blocks = self._from(placed(queries, self._metric))
        return np.concatenate(
            [np.empty((0, self.k)), *(self._smallest(distances / divisors - offsets) for _, distances in blocks)]
        )

    def distances_within(self) -> Distances:
        """Those that each row would have with a bank without it, float64 (n, k).

        Infinite in a bank of one, and with "ratio" in one of two.
        """
        if len(self) == 1 or (len(self) == 2 and self._rescale == "ratio"):
            return np.full((len(self), self.k), np.inf)
        more = self._near.shape[1] > self._taken  # neighbours than are taken
        taken = self._taken if more else self._taken - 1
        found = np.empty((len(self), self.k))
        for first, distances in self._from(self._rows):
            places = first + np.arange(len(distances))
            # Where the row is among the K nearest of y, the next one takes its place.
            without = self._totals - distances + (self._near[:, self._taken] if more else 0.0)
            totals = np.where(distances <= self._near[:, self._taken - 1] * ROUNDING, without, self._totals)
            divisors, offsets = self._terms(totals, taken, places)
            rescaled = np.asarray(distances / divisors - offsets)
            rescaled[places - first, places] = np.inf
            found[places] = self._smallest(rescaled)
        return found

    def terms(self) -> tuple[Distances, Distances]:
        """Divisors and offsets of the distances to each row: ``d / divisor - offset``, each (n,)."""
        divisors, offsets = self._terms(self._totals[None], self._taken, None)
        return divisors[0], offsets[0]

    def _terms(self, totals: Distances, taken: int, left_out: Places | None) -> tuple[Distances, Distances]:
        """The same from sums (m, n) of the distances to so many neighbours; a bank for each row that is left out."""
        same = np.zeros_like(totals)
        if self._rescale == "ratio":
            return np.maximum(totals * (self._wanted_k / max(taken, 1)), self.floor), same
        densities = totals / taken if taken else same
        if self._rescale == "varmin":
            densities = self._alpha(densities, left_out) * densities
        return same + 1.0, densities

    def _alpha(self, densities: Distances, left_out: Places | None) -> Distances:
        """Cov(d, b) / Var(b) for each bank, (m, 1)."""
        nearest, distances = self._nearest_two[:, 0], np.zeros(len(self))
        counted = np.ones(densities.shape, bool)
        if self._near.shape[1]:
            distances = self._near[:, 0]
        if left_out is None:
            density = densities[:, nearest]
        else:
            counted[np.arange(len(left_out)), left_out] = False
            gone = nearest == left_out[:, None]  # whose nearest row is left out, has the second one
            density = np.take_along_axis(densities, np.where(gone, self._nearest_two[:, 1], nearest), axis=1)
            distances = np.where(gone, self._near[:, min(1, self._near.shape[1] - 1)], distances)
        mean = np.mean(density, axis=1, where=counted, keepdims=True)
        offset = np.where(counted, density - mean, 0.0)
        variance = np.square(offset).mean(axis=1, keepdims=True)
        differ = variance > np.square(SPREAD * mean)
        covariance = (offset * distances).mean(axis=1, keepdims=True)
        return np.asarray(np.divide(covariance, variance, out=np.zeros_like(variance), where=differ))

    def _smallest(self, rescaled: Distances) -> Distances:
        if self.k == 1:
            return np.asarray(rescaled.min(axis=1, keepdims=True))
        return np.sort(np.partition(rescaled, self.k - 1, axis=1)[:, : self.k], axis=1)

    @staticmethod
    def _two(first: int, distances: Distances) -> Places:
        """Places of the two rows that are nearest to each of a block, (m, 2)."""
        places = np.arange(len(distances))
        distances[places, first + places] = np.inf
        nearest = distances.argmin(axis=1)
        distances[places, nearest] = np.inf
        return np.column_stack([nearest, distances.argmin(axis=1)])

    def _from(self, queries: Rows) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Blocks of placed queries: place of the first, and distances to all rows."""
        step = max(1, NUMBERS // len(self))
        for first in range(0, len(queries), step):
            block = queries[first : first + step]
            plain = cdist(block, self._rows, "cityblock" if self._metric == "manhattan" else "euclidean")
            yield first, by_metric(plain, self._metric)
