"""The scorers of one section, fitted to training embeddings as a run fits them."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from asdbench.datasets import TrainingClip
from asdbench.harness.outputs import checked_notes, checked_scores
from asdbench.harness.scoring import TrainingScores, fitted_scorer, scores_of_training
from asdbench.registry import Component
from asdbench.registry.cards import ScorerCard
from asdbench.scorers.base import Scorer
from asdbench.scorers.out_of_fold import held_out_scores, scores_for_units

Rows = NDArray[np.float32]


class SectionScorer:
    """One scorer, or of an ensemble the members' and what combines their scores.

    Everything is computed on one thread, as a run does, so that sums do not depend on the number of cores.

    Args:
        members: a scorer for each member.
        combine: of an ensemble what makes one score of theirs; else None.
        seed: base seed.
        machine: machine type.
        section: its section.

    Attributes:
        training: clips that the threshold follows from.
        fitted: what gives the last score.
        notes: of the scorers.
    """

    def __init__(
        self, members: Sequence[Component], combine: Component | None, seed: int, machine: str, section: str
    ) -> None:
        self._members = members
        self._combine = combine
        self._seed = seed
        self._machine = machine
        self._section = section
        self._fitted: list[Scorer] = []
        self.training: Sequence[TrainingClip] = ()
        self.notes: list[str] = []

    def fit(self, rows: Sequence[Rows], clips: Sequence[TrainingClip], *, scores: bool = True) -> NDArray[np.float64]:
        """Fit to the embeddings of a machine type's training clips.

        Args:
            rows: by member, (n, dim).
            clips: what is known of them.
            scores: whether scores of the training clips are wanted, which takes several fits; an ensemble needs them.

        Returns:
            Scores of ``training`` by scorers that have not seen the clips, float64 (m,); empty where none are wanted.
        """
        import scipy.linalg  # noqa: F401  # brings a BLAS of its own, which can be limited only once it is there

        by = scores_for_units if self._combine is not None else held_out_scores if scores else None
        with threadpool_limits(limits=1):
            columns = []
            for component, of_member in zip(self._members, rows, strict=True):
                assert isinstance(component.card, ScorerCard)
                whole = component.card.fit_on == "machine"
                chosen = [place for place, clip in enumerate(clips) if whole or clip.section == self._section]
                self.training = [clips[place] for place in chosen]
                column = self._fit(component, of_member[chosen], self.training, by)
                here = [clip.section == self._section for clip in self.training]
                columns.append(column if self._combine is None else column[here])
            if self._combine is None:
                return columns[0]
            self.training = [clip for clip in clips if clip.section == self._section]
            return self._fit(self._combine, _side_by_side(columns), self.training, held_out_scores if scores else None)

    def score(self, rows: Sequence[Rows]) -> NDArray[np.float64]:
        """Scores of recordings from their embeddings by member, (n, dim) each."""
        with threadpool_limits(limits=1):
            columns = [
                checked_scores(scorer.score(of_member), len(of_member), component.name)
                for scorer, component, of_member in zip(self._fitted, self._members, rows, strict=False)
            ]
            if self._combine is None:
                return columns[0]
            return checked_scores(self._fitted[-1].score(_side_by_side(columns)), len(columns[0]), self._combine.name)

    @property
    def fitted(self) -> list[Scorer]:
        """The scorers: of the members, and of an ensemble the one that combines them."""
        return list(self._fitted)

    def _fit(
        self, component: Component, rows: Rows, clips: Sequence[TrainingClip], by: TrainingScores | None
    ) -> NDArray[np.float64]:
        fitted = partial(fitted_scorer, component, self._seed, self._machine, self._section)
        scorer = fitted(rows, clips)
        self._fitted.append(scorer)
        scores = scores_of_training(scorer, rows, clips, fitted, component.name, by) if by else np.empty(0)
        self.notes += checked_notes(scorer.notes, component.name)
        return scores


def _side_by_side(columns: Sequence[NDArray[np.float64]]) -> Rows:
    return np.stack(columns, axis=1).astype(np.float32)  # as a run stores members' scores
