"""Nearest neighbours in a bank of source clips and in one of target clips."""

import numpy as np

from asdbench.scorers.bank import Bank, Distances, Rows
from asdbench.scorers.base import ArrayScorer, Clips, Embeddings, Scores, require_finite
from asdbench.scorers.domains import TARGET, Standard, one_domain_note, places_by_domain, standards
from asdbench.scorers.rescaled import bank_of


class DomainBanks(ArrayScorer):
    """The smallest of the banks' mean distances to the k nearest, ``min_b (d_b(x) - mean_b) / deviation_b``.

    Subclasses fill the banks, and may standardise them.

    Args:
        n_neighbors_source: nearest rows looked at; of the target's bank those of ``n_neighbors_target``.
        n_neighbors_target: see there.
        metric: "euclidean" or "cosine".
        rescale: "none", or how distances within each bank are rescaled by density (``RescaledBank``).
        rescale_k: neighbours that tell the density.
    """

    fewest = 2

    def __init__(
        self,
        n_neighbors_source: int,
        n_neighbors_target: int,
        metric: str,
        rescale: str = "none",
        rescale_k: int = 4,
    ) -> None:
        super().__init__()
        self._rescale = rescale, rescale_k
        self._k_source = n_neighbors_source
        self._k_target = n_neighbors_target
        self._metric = metric
        self._banks: dict[str, Bank] = {}
        self._standards: dict[str, Standard] = {}

    def _rows(self, embeddings: Embeddings) -> Rows:
        return require_finite(self.name, embeddings)

    def _add_bank(self, domain: str, rows: Rows, what: str = "clips") -> Bank:
        """A bank of the domain's rows; ``what`` they are is said where there are too few."""
        k = self._k_target if domain == TARGET else self._k_source
        bank = bank_of(rows, k, self._metric, *self._rescale)
        self._banks[domain] = bank
        self.notes += bank.short_note(domain, what)
        return bank

    def _standardise(self, within: dict[str, Distances], how: str) -> None:
        self._standards, notes = standards(within, how)
        self.notes += notes

    def _of_each(self, rows: Rows) -> Distances:
        """Standardised distances to each bank, float64 (n, banks)."""
        unscaled = Standard()
        return np.column_stack(
            [self._standards.get(name, unscaled)(bank.mean_distances(rows)) for name, bank in self._banks.items()]
        )

    def _score(self, rows: Rows) -> Scores:
        """Smallest distance of each row, float64 (n,); a negative one, where standardised, is nearer than usual."""
        return np.asarray(self._of_each(rows).min(axis=1))


class DomainNeighbours(DomainBanks):
    """Mean distance to the k nearest clips of each domain; the smaller one is the score.

    ``min_b (d_b(x) - mean_b) / deviation_b``, with ``d_b`` the mean distance to the k nearest clips of bank b
    (Saengthong and Shinozaki, DCASE 2025, equations 1 to 3). Without standardising, the smaller distance is that of
    the nearest clips of any domain, but for k: a k of the target's own is what sets it apart from ``knn``.
    """

    name = "knn-domains"

    def __init__(
        self,
        *,
        n_neighbors_source: int,
        n_neighbors_target: int,
        metric: str,
        standardise: str,
        rescale: str,
        rescale_k: int,
    ) -> None:
        super().__init__(n_neighbors_source, n_neighbors_target, metric, rescale, rescale_k)
        self._how = standardise
        self._training: Scores | None = None

    def _learn(self, rows: Rows, clips: Clips) -> None:
        places = places_by_domain(clips, len(rows))
        self.notes += one_domain_note(places)
        within = {name: self._add_bank(name, rows[place]).mean_distances_within() for name, place in places.items()}
        self._standardise(within, self._how)
        of_each = self._of_each(rows)
        for column, (name, place) in enumerate(places.items()):
            of_each[place, column] = self._standards[name](within[name])
        self._training = of_each.min(axis=1)

    def training_scores(self) -> Scores | None:
        """Scores of the training clips, each without itself in its bank."""
        return self._training
