"""Nearest neighbours in a bank of source clips and in one of target clips."""

from collections.abc import Sequence

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.bank import Bank
from asdbench.scorers.base import Embeddings, Scorer, Scores, require_clips, require_finite
from asdbench.scorers.domains import TARGET, one_domain_note, places_by_domain
from asdbench.scorers.standard import Standard, standards


class DomainNeighbours(Scorer):
    """Mean distance to the k nearest clips of each domain; the smaller one is the score.

    ``min_b (d_b(x) - mean_b) / deviation_b``, with ``d_b`` the mean distance to the k nearest clips of bank b
    (Saengthong and Shinozaki, DCASE 2025, equations 1 to 3). Without standardising, the smaller distance is that of
    the nearest clips of any domain, but for k: a k of the target's own is what sets it apart from ``knn``.
    """

    def __init__(self, *, n_neighbors_source: int, n_neighbors_target: int, metric: str, standardise: str) -> None:
        super().__init__()
        self._k_source = n_neighbors_source
        self._k_target = n_neighbors_target
        self._metric = metric
        self._how = standardise
        self._banks: dict[str, Bank] = {}
        self._standards: dict[str, Standard] = {}
        self._training: Scores | None = None

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Keep the clips of each domain, and measure those of a domain among each other.

        Raises:
            ScorerError: fewer than two clips, or embeddings that are not finite.
        """
        require_clips("knn-domains", len(embeddings), 2)
        require_finite("knn-domains", embeddings)
        places = places_by_domain(clips)
        self.notes += one_domain_note(places)
        for name, own in places.items():
            wanted = self._k_target if name == TARGET else self._k_source
            self._banks[name] = bank = Bank(embeddings[own], wanted, self._metric)
            self.notes += bank.short_note(name)
        within = {name: bank.distances_within() for name, bank in self._banks.items()}
        self._standards, notes = standards(within, self._how)
        self.notes += notes
        of_all = self._standardised(embeddings)
        for column, (name, own) in enumerate(places.items()):
            of_all[own, column] = self._standards[name](within[name])
        self._training = of_all.min(axis=1)

    def score(self, embeddings: Embeddings) -> Scores:
        """Smallest standardised distance of each row, float64 (n,); negative ones are nearer than usual."""
        return np.asarray(self._standardised(require_finite("knn-domains", embeddings)).min(axis=1))

    def training_scores(self) -> Scores | None:
        """Scores of the training clips, each without itself in its bank."""
        return self._training

    def _standardised(self, embeddings: Embeddings) -> Scores:
        """Standardised distances to each bank, float64 (n, banks)."""
        return np.column_stack(
            [self._standards[name](bank.distances(embeddings)) for name, bank in self._banks.items()]
        )
