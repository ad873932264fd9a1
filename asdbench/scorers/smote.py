"""Nearest neighbours after SMOTE has filled up the few target clips."""

from collections.abc import Sequence

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.bank import Bank, Distances, directions
from asdbench.scorers.base import Embeddings, Scorer, Scores, require_clips, require_finite
from asdbench.scorers.domains import SOURCE, TARGET, in_order, source_and_target


class SmoteNeighbours(Scorer):
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
    """

    def __init__(
        self, *, ratio: float, smote_neighbors: int, n_neighbors_source: int, n_neighbors_target: int, metric: str
    ) -> None:
        super().__init__()
        self._ratio = ratio
        self._smote_neighbors = smote_neighbors
        self._k = {SOURCE: n_neighbors_source, TARGET: n_neighbors_target}
        self._metric = metric
        self._banks: list[Bank] = []

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Oversample the target clips and keep all.

        Raises:
            ScorerError: fewer than two clips, or embeddings that are not finite.
        """
        require_clips("knn-smote", len(embeddings), 2)
        rows = np.asarray(require_finite("knn-smote", embeddings), np.float64)
        source, target = source_and_target(directions(rows) if self._metric == "cosine" else rows, clips)
        self._banks = []
        for name, own in ((SOURCE, source), (TARGET, self.oversampled(source, target))):
            if len(own):
                self._banks.append(bank := Bank(own, self._k[name], self._metric))
                self.notes += bank.short_note(name)

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

    def score(self, embeddings: Embeddings) -> Scores:
        """Smaller mean distance of each row, float64 (n,)."""
        rows = require_finite("knn-smote", embeddings)
        return np.asarray(np.min([bank.distances(rows) for bank in self._banks], axis=0))
