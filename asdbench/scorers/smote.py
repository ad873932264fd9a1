"""Nearest neighbours after SMOTE has filled up the few target clips."""

import numpy as np

from asdbench.scorers.bank import Distances, Rows, directions
from asdbench.scorers.base import Clips
from asdbench.scorers.domain_neighbours import DomainBanks
from asdbench.scorers.domains import SOURCE, TARGET, in_order, source_and_target


class SmoteNeighbours(DomainBanks):
    """Smaller mean distance to the k nearest of the source clips and of the oversampled target clips.

    SMOTE (Chawla et al., 2002) puts embeddings on the segments between target clips and their nearest target clips
    until there are ``ratio`` times as many as source clips. With cosine distance it works on directions, as the
    programs that introduced it to this task do.

    Args:
        ratio: of target to source clips afterwards; where there are as many already, none is added.
        smote_neighbors: nearest target clips that a segment may lead to.
        n_neighbors_source: nearest source clips looked at.
        n_neighbors_target: nearest target clips looked at.
        metric: "euclidean" or "cosine".
        rescale: as in ``DomainBanks``; what SMOTE adds has a density, too.
        rescale_k: neighbours that tell the density.
    """

    name = "knn-smote"

    def __init__(
        self,
        *,
        ratio: float,
        smote_neighbors: int,
        n_neighbors_source: int,
        n_neighbors_target: int,
        metric: str,
        rescale: str,
        rescale_k: int,
    ) -> None:
        super().__init__(n_neighbors_source, n_neighbors_target, metric, rescale, rescale_k)
        self._ratio = ratio
        self._smote_neighbors = smote_neighbors

    def _learn(self, rows: Rows, clips: Clips) -> None:
        wide: Distances = directions(rows) if self._metric == "cosine" else np.asarray(rows, np.float64)
        source, target = source_and_target(wide, clips)
        for name, bank in ((SOURCE, source), (TARGET, self.oversampled(source, target))):
            if len(bank):
                self._add_bank(name, bank)

    def oversampled(self, source: Distances, target: Distances) -> Distances:
        """The target rows, sorted, and what SMOTE adds to them, by the seed."""
        target = in_order(target)
        if len(target) < 2:
            there = "one target clip" if len(target) else "no target clip"
            self.notes.append(
                f"SMOTE needs two target clips or more; with {there} this is kNN over the clips as they are"
            )
            return target
        if int(self._ratio * len(source)) <= len(target):
            self.notes.append(
                f"{len(target)} target clips to {len(source)} source clips are enough for the ratio; SMOTE adds none"
            )
            return target
        from imblearn.over_sampling import SMOTE

        neighbours = min(self._smote_neighbors, len(target) - 1)
        if neighbours < self._smote_neighbors:
            self.notes.append(f"SMOTE looks at {neighbours} neighbours, as there are {len(target)} target clips")
        smote = SMOTE(sampling_strategy=self._ratio, k_neighbors=neighbours, random_state=self.seed)
        is_target = np.repeat([0, 1], [len(source), len(target)])
        rows, kinds = smote.fit_resample(np.concatenate([source, target]), is_target)
        return np.asarray(rows[kinds == 1])
