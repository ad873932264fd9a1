"""Nearest neighbours in a bank of source clips and in one of target clips."""

from typing import Self

import numpy as np

from asdbench.scorers.bank import Bank, Distances, Rows
from asdbench.scorers.base import Clips, Embeddings, Scorer, Scores, require_clips, require_finite
from asdbench.scorers.domains import TARGET, Standard, one_domain_note, places_by_domain, standards


class DomainBanks(Scorer):
    """The smallest of the banks' mean distances to the k nearest, ``min_b (d_b(x) - mean_b) / deviation_b``.

    Subclasses fill the banks, and may standardise them.

    Args:
        name: of the scorer, for messages.
        n_neighbors_source: nearest rows looked at; of the target's bank those of ``n_neighbors_target``.
        n_neighbors_target: see there.
        metric: "euclidean" or "cosine".
    """

    def __init__(self, name: str, n_neighbors_source: int, n_neighbors_target: int, metric: str) -> None:
        super().__init__()
        self._name = name
        self._k_source = n_neighbors_source
        self._k_target = n_neighbors_target
        self._metric = metric
        self._banks: dict[str, Bank] = {}
        self._standards: dict[str, Standard] = {}

    def _checked(self, embeddings: Embeddings) -> Rows:
        return require_finite(self._name, embeddings)

    def _add_bank(self, domain: str, rows: Rows, what: str = "clips") -> Bank:
        """A bank of the domain's rows; ``what`` they are is said where there are too few."""
        bank = Bank(rows, self._k_target if domain == TARGET else self._k_source, self._metric)
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

    def score(self, embeddings: Embeddings) -> Scores:
        """Smallest distance of each row, float64 (n,); a negative one, where standardised, is nearer than usual."""
        return np.asarray(self._of_each(self._checked(embeddings)).min(axis=1))


class DomainNeighbours(DomainBanks):
    """Mean distance to the k nearest clips of each domain; the smaller one is the score.

    ``min_b (d_b(x) - mean_b) / deviation_b``, with ``d_b`` the mean distance to the k nearest clips of bank b
    (Saengthong and Shinozaki, DCASE 2025, equations 1 to 3). Without standardising, the smaller distance is that of
    the nearest clips of any domain, but for k: a k of the target's own is what sets it apart from ``knn``.
    """

    def __init__(self, *, n_neighbors_source: int, n_neighbors_target: int, metric: str, standardise: str) -> None:
        super().__init__("knn-domains", n_neighbors_source, n_neighbors_target, metric)
        self._how = standardise
        self._training: Scores | None = None

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Put the clips of each domain into a bank, and measure those of a domain among each other."""
        rows = self._checked(embeddings)
        require_clips("knn-domains", len(rows), 2)
        places = places_by_domain(clips, len(rows))
        self.notes += one_domain_note(places)
        within = {name: self._add_bank(name, rows[place]).mean_distances_within() for name, place in places.items()}
        self._standardise(within, self._how)
        of_each = self._of_each(rows)
        for column, (name, place) in enumerate(places.items()):
            of_each[place, column] = self._standards[name](within[name])
        self._training = of_each.min(axis=1)
        return self

    def training_scores(self) -> Scores | None:
        """Scores of the training clips, each without itself in its bank."""
        return self._training
