"""Local density normalisation: a clip counts as near by how near the reference clips are to each other there."""

import numpy as np

from asdbench.scorers.bank import Places, Rows
from asdbench.scorers.base import ArrayScorer, Clips, Embeddings, ScorerError, Scores, require_finite
from asdbench.scorers.domains import TARGET, one_domain_note, places_by_domain
from asdbench.scorers.rescaled import RescaledBank


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
        rescale: "ratio", or "difference" or "varmin" in its place (``RescaledBank``).
    """

    name = "knn-ldn"
    fewest = 2

    def __init__(self, *, banks: str, n_neighbors: int, n_neighbors_target: int, metric: str, rescale: str) -> None:
        super().__init__()
        self._rescale = rescale
        self._by_domain = banks == "domains"
        self._k = n_neighbors
        self._k_target = n_neighbors_target
        self._metric = metric
        self._banks: list[RescaledBank] = []
        self._training: Scores | None = None

    def _learn(self, rows: Rows, clips: Clips) -> None:
        places = self._places(clips, len(rows)) if self._by_domain else {"whole": np.arange(len(rows))}
        for name, place in places.items():
            k = self._k_target if name == TARGET else self._k
            self._banks.append(bank := RescaledBank(rows[place], 1, self._metric, self._rescale, k))
            self.notes += bank.short_note(name)
        if self._rescale == "ratio":
            self._divide_by_something()
        self._training = self._scores_within(rows, places)

    def _divide_by_something(self) -> None:
        sums = np.concatenate([bank.sums for bank in self._banks])
        if not sums.any():
            raise ScorerError(
                f"knn-ldn finds no density: every training clip has the same embedding as its {self._k} nearest. "
                "Look at more of them with -p knn-ldn.n_neighbors=N"
            )
        for bank in self._banks:
            bank.floor = float(sums[sums > 0].min())
        if not sums.all():
            self.notes.append(
                f"{int(np.sum(sums == 0))} training clips have the same embedding as all their neighbours; the "
                "highest density of the others is taken for them"
            )

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
        of_all = np.column_stack([bank.distances(rows)[:, 0] for bank in self._banks])
        for column, (bank, place) in enumerate(zip(self._banks, places.values(), strict=True)):
            of_all[place, column] = bank.distances_within()[:, 0]
        scores = np.asarray(of_all.min(axis=1))
        return scores if np.isfinite(scores).all() else None

    def _score(self, rows: Rows) -> Scores:
        """Smallest normalised distance of each row, float64 (n,)."""
        return np.asarray(np.min([bank.distances(rows)[:, 0] for bank in self._banks], axis=0))

    def training_scores(self) -> Scores | None:
        """Scores of the training clips, each with banks without it; None where that leaves nothing to measure by."""
        return self._training
