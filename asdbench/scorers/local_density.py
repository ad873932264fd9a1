"""Local density normalisation: a clip counts as near by how near the reference clips are to each other there."""

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist

from asdbench.scorers.bank import Bank, Distances, Places, Rows, by_metric, placed
from asdbench.scorers.base import ArrayScorer, Clips, Embeddings, ScorerError, Scores, require_finite
from asdbench.scorers.domains import TARGET, one_domain_note, places_by_domain

NUMBERS = 2**24  # distances at a time
ROUNDING = 1 + 1e-12  # two ways of measuring a distance differ by less


class DensityBank:
    """Reference rows, and the sum of the distances from each to its k nearest among them.

    Where there are fewer than k others, the sum is k times their mean distance: banks of few clips stay comparable.

    Args:
        rows: finite, (n, dim), at least two.
        k: neighbours that the density is measured by.
        metric: "euclidean" or "cosine".

    Attributes:
        k: neighbours taken.
        sums: float64 (n,); 0 where k others are the same.
    """

    def __init__(self, rows: Rows, k: int, metric: str) -> None:
        self._rows = np.asarray(placed(rows, metric), np.float64)
        self._metric = metric
        self._wanted = k
        self.k = min(k, len(rows) - 1)
        self._near = Bank(rows, k + 1, metric).distances_within()
        self._totals = self._near[:, : self.k].sum(axis=1)
        self.sums = self._totals * (k / self.k)

    def scores(self, queries: Rows, floor: float) -> Scores:
        """``min_y d(x, y) / max(sum_k d(y, y_k), floor)`` of each row, float64 (m,)."""
        divisors = np.maximum(self.sums, floor)
        blocks = self._distances_from(np.asarray(placed(queries, self._metric), np.float64))
        return np.concatenate([np.empty(0), *((distances / divisors).min(axis=1) for _, distances in blocks)])

    def scores_within(self, floor: float) -> Scores:
        """The scores that the rows would have, each with a bank without it, float64 (n,); infinite in a bank of two."""
        scores = np.full(len(self._rows), np.inf)
        more = self._near.shape[1] > self.k  # neighbours than are taken
        taken = self.k if more else self.k - 1
        if taken == 0:
            return scores
        for first, distances in self._distances_from(self._rows):
            # Where the row is among the k nearest of y, the next one takes its place.
            without = self._totals - distances + (self._near[:, self.k] if more else 0.0)
            totals = np.where(distances <= self._near[:, self.k - 1] * ROUNDING, without, self._totals)
            ratios = distances / np.maximum(totals * (self._wanted / taken), floor)
            places = np.arange(len(ratios))
            ratios[places, first + places] = np.inf
            scores[first + places] = ratios.min(axis=1)
        return scores

    def _distances_from(self, queries: Distances) -> Iterator[tuple[int, Distances]]:
        """Blocks of queries: place of the first, and distances to all rows."""
        step = max(1, NUMBERS // len(self._rows))
        for first in range(0, len(queries), step):
            yield first, by_metric(cdist(queries[first : first + step], self._rows), self._metric)


class LocalDensity(ArrayScorer):
    """``min_y d(x, y) / sum_k d(y, y_k)``: y a training clip, y_1 to y_K those nearest to it.

    Wilkinghoff et al. (2025, arXiv 2509.10951, and ICASSP 2025): over all training clips, whatever their domain, in
    dense regions a small distance is much already. By domain (Saengthong and Shinozaki, DCASE 2025, equation 5)
    neighbours are sought within the domain of y, with a K of its own for the target.

    Args:
        banks: "all" or "domains".
        n_neighbors: K, of source clips where there are banks by domain.
        n_neighbors_target: K of target clips.
        metric: "euclidean" or "cosine".
    """

    name = "knn-ldn"
    fewest = 2

    def __init__(self, *, banks: str, n_neighbors: int, n_neighbors_target: int, metric: str) -> None:
        super().__init__()
        self._by_domain = banks == "domains"
        self._k = n_neighbors
        self._k_target = n_neighbors_target
        self._metric = metric
        self._banks: list[DensityBank] = []
        self._floor = 0.0
        self._training: Scores | None = None

    def _learn(self, rows: Rows, clips: Clips) -> None:
        places = self._places(clips, len(rows)) if self._by_domain else {"whole": np.arange(len(rows))}
        for name, place in places.items():
            k = self._k_target if name == TARGET else self._k
            self._banks.append(bank := DensityBank(rows[place], k, self._metric))
            if bank.k < k:
                self.notes.append(f"the {name} bank has {len(place)} clips; {bank.k} neighbours are taken, not {k}")
        sums = np.concatenate([bank.sums for bank in self._banks])
        if not sums.any():
            raise ScorerError(
                f"knn-ldn finds no density: every training clip has the same embedding as its {self._k} nearest. "
                "Look at more of them with -p knn-ldn.n_neighbors=N"
            )
        self._floor = float(sums[sums > 0].min())
        if not sums.all():
            self.notes.append(
                f"{int(np.sum(sums == 0))} training clips have the same embedding as all their neighbours; the "
                "highest density of the others is taken for them"
            )
        self._training = self._scores_within(rows, places)

    def _rows(self, embeddings: Embeddings) -> Rows:
        return require_finite(self.name, embeddings)

    def _places(self, clips: Clips, count: int) -> dict[str, Places]:
        """Places of each bank's clips; a domain of one clip, which has no density, joins the largest."""
        places = places_by_domain(clips, count)
        self.notes += one_domain_note(places)
        largest = max(places, key=lambda name: len(places[name]))
        for name in [name for name, place in places.items() if len(place) == 1 and name != largest]:
            places[largest] = np.sort(np.concatenate([places[largest], places.pop(name)]))
            self.notes.append(f"the {name} domain has one clip, which joins the {largest} bank")
        return places

    def _scores_within(self, rows: Rows, places: dict[str, Places]) -> Scores | None:
        of_all = np.column_stack([bank.scores(rows, self._floor) for bank in self._banks])
        for column, (bank, place) in enumerate(zip(self._banks, places.values(), strict=True)):
            of_all[place, column] = bank.scores_within(self._floor)
        scores = np.asarray(of_all.min(axis=1))
        return scores if np.isfinite(scores).all() else None

    def _score(self, rows: Rows) -> Scores:
        """Smallest normalised distance of each row, float64 (n,)."""
        return np.asarray(np.min([bank.scores(rows, self._floor) for bank in self._banks], axis=0))

    def training_scores(self) -> Scores | None:
        """Scores of the training clips, each with banks without it; None where that leaves nothing to measure by."""
        return self._training
