"""MemMixup: a target bank filled up with mixtures of target and source clips."""

import numpy as np
from scipy.spatial.distance import cdist

from asdbench.scorers.bank import Distances, Places, Rows, directions
from asdbench.scorers.base import Clips, Embeddings, ScorerError, doubles
from asdbench.scorers.domain_neighbours import DomainBanks
from asdbench.scorers.domains import SOURCE, TARGET, source_and_target

LARGEST = 2**28  # numbers in the target bank, 2 GB


class MemMixup(DomainBanks):
    """Nearest neighbours in the source bank and in a target bank that is filled up by mixing.

    GenRep (Saengthong and Shinozaki, 2024, section 2.2, and its program): for every target embedding ``t`` and each
    ``s`` of its ``n_mix`` nearest source embeddings by Euclidean distance, ``alpha t + (1 - alpha) s`` joins the
    target bank; the target embeddings stay. The score is the smaller of the banks' mean distances to the k nearest,
    each standardised. GenRep standardises by the test clips; here by the training clips, each left out of its bank,
    a target clip together with the mixtures made of it. Nothing is drawn at random.

    Args:
        n_mix: nearest source clips that each target clip is mixed with; all of them where there are fewer.
        alpha: part of the target clip.
        n_neighbors_source: nearest source clips looked at.
        n_neighbors_target: nearest rows of the target bank looked at.
        unit_length: scale embeddings to length 1 first; mixtures are not scaled again.
        standardise: as in ``knn-domains``.
    """

    name = "knn-memmixup"

    def __init__(
        self,
        *,
        n_mix: int,
        alpha: float,
        n_neighbors_source: int,
        n_neighbors_target: int,
        unit_length: bool,
        standardise: str,
    ) -> None:
        super().__init__(n_neighbors_source, n_neighbors_target, "euclidean")
        self._n_mix = n_mix
        self._alpha = alpha
        self._unit_length = unit_length
        self._how = standardise

    def _learn(self, rows: Distances, clips: Clips) -> None:
        source, target = source_and_target(rows, clips)
        if not (len(source) and len(target)):
            self.notes.append("there is one domain, so nothing is mixed: this is kNN")
        within = {}
        if len(source):
            within[SOURCE] = self._add_bank(SOURCE, source).mean_distances_within()
        if len(target):
            mixed = self._nearest(target, source)
            self._add_bank(TARGET, np.concatenate([target, self._mixtures(target, source, mixed)]), "rows")
            within[TARGET] = self._leave_one_out(target, source, mixed)
        self._standardise(within, self._how)

    def _rows(self, embeddings: Embeddings) -> Distances:
        rows = doubles(self.name, embeddings)
        return directions(rows) if self._unit_length else rows

    def _nearest(self, target: Rows, source: Rows) -> Places:
        """Places of the source clips that each target clip is mixed with, nearest first, (targets, mixed)."""
        mixed = min(self._n_mix, len(source))
        if len(target) * mixed * target.shape[1] > LARGEST:
            fits = max(1, LARGEST // (len(target) * target.shape[1]))
            raise ScorerError(
                f"knn-memmixup would mix {len(target)} target clips with {mixed} source clips each, "
                f"more than memory holds. Fewer are mixed with -p knn-memmixup.n_mix={fits}"
            )
        return np.asarray(np.argsort(cdist(target, source), axis=1, kind="stable")[:, :mixed])

    def _mixtures(self, target: Rows, source: Rows, mixed: Places) -> Rows:
        """``alpha t + (1 - alpha) s``, (targets * mixed, dim)."""
        both = self._alpha * target[:, None] + (1 - self._alpha) * source[mixed]
        return np.asarray(both.reshape(-1, target.shape[1]))

    def _leave_one_out(self, target: Rows, source: Rows, mixed: Places) -> Distances:
        """Mean distance of each target clip to the k nearest of the bank that are not made of it, float64 (n,).

        By Stewart's theorem ``|x - (a t + b s)|^2 = a |x - t|^2 + b |x - s|^2 - a b |t - s|^2`` for ``a + b = 1``, so
        the mixtures need not be measured one by one.
        """
        if len(target) == 1:
            return np.array([np.inf])
        a, b = self._alpha, 1 - self._alpha
        to_target, to_source = (cdist(target, those, "sqeuclidean") for those in (target, source))
        sides = np.take_along_axis(to_source, mixed, axis=1)
        result = np.empty(len(target))
        for place in range(len(target)):
            others = np.arange(len(target)) != place
            targets = to_target[place, others]
            mixtures = a * targets[:, None] + b * to_source[place][mixed[others]] - a * b * sides[others]
            squared = np.concatenate([targets, mixtures.ravel()])
            k = min(self._banks[TARGET].k, len(squared))
            nearest = np.sort(np.partition(squared, k - 1)[:k])
            result[place] = np.sqrt(np.maximum(nearest, 0.0)).mean()
        return result
