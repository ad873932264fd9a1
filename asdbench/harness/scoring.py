"""Fit the scorer on training embeddings, score test embeddings, set thresholds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.core.threads import one_thread
from asdbench.datasets import BlindClip, Clip, Dataset, TrainingClip
from asdbench.harness.cells import Cell
from asdbench.harness.outputs import OutputError, checked_notes, checked_scores
from asdbench.protocols import Threshold, ThresholdRule
from asdbench.protocols.threshold import DEFAULT_RULE
from asdbench.registry import Component
from asdbench.registry.cards import ScorerCard
from asdbench.scorers.base import Embeddings, Scorer
from asdbench.scorers.base import Scores as ScoreArray
from asdbench.scorers.out_of_fold import held_out_scores, scores_for_units


@dataclass(frozen=True)
class ScoredSection:
    """Scores of one section's test clips, in the order of ``clips``."""

    clips: Sequence[BlindClip]  # test clips
    scores: ScoreArray  # of them
    decisions: NDArray[np.int64]  # 1 where the score lies above the threshold
    threshold: Threshold  # from the training scores
    notes: tuple[str, ...]  # of the scorer
    training: Sequence[TrainingClip]  # training clips that the scorer was fitted on
    training_scores: ScoreArray  # of them, by scorers that have not seen them where that can be had

    def order_of(self, clips: Sequence[Clip]) -> NDArray[np.intp]:
        """Where each of the clips stands here; clips meet their scores by key, not by order."""
        row_of = {clip.key: row for row, clip in enumerate(self.clips)}
        return np.array([row_of[clip.key] for clip in clips], np.intp)


Scores = dict[str, dict[str, ScoredSection]]  # by machine type and section
FittedScorer = Callable[[Embeddings, Sequence[TrainingClip]], Scorer]  # fits one to some rows and their clips
TrainingScores = Callable[[Scorer, Embeddings, Sequence[TrainingClip], FittedScorer], ScoreArray]


def score_machine(
    dataset: Dataset,
    rows: Embeddings,
    component: Component,
    seed: int,
    machine: str,
    rule: ThresholdRule = DEFAULT_RULE,
    by: TrainingScores = held_out_scores,
) -> dict[str, ScoredSection]:
    """Score one machine type's test clips, section by section.

    Args:
        dataset: the clips.
        rows: embeddings of the machine's clips, in the order of ``Dataset.blind``.
        component: the scorer.
        seed: base seed.
        machine: machine type.
        rule: how thresholds follow from training scores.
        by: scores training clips, for the threshold or for units.

    Returns:
        Scores by section number.

    Raises:
        AsdbenchError: the scorer gives scores that are not finite or not one a clip.
    """
    dataset = dataset.select(machines=[machine])
    row_of = {clip.key: row for row, clip in enumerate(dataset.blind_view())}
    clips = dataset.training_view()
    training_rows = rows[[row_of[clip.key] for clip in clips]]
    scored = {}
    for _, section in dataset.select(split="test").sections:
        scorer = SectionScorer([component], None, seed, machine, section).fit([training_rows], clips)
        test = dataset.select(split="test", section=section).blind_view()
        scores = scorer.score([rows[[row_of[clip.key] for clip in test]]])
        training_scores = scorer.training_scores(by)
        threshold = rule.fit(training_scores, [clip.domain for clip in scorer.training])
        if not np.isfinite(threshold.value):
            raise OutputError(f"The training scores of {component.name} give no threshold: it is {threshold.value}.")
        scored[section] = ScoredSection(
            clips=test,
            scores=scores,
            decisions=(scores > threshold.value).astype(np.int64),
            threshold=threshold,
            notes=(*scorer.notes, *filter(None, [threshold.note])),
            training=scorer.training,
            training_scores=training_scores,
        )
    return scored


class SectionScorer:
    """The scorer of one section; of an ensemble the members' scorers, and the one that combines their scores.

    Everything is computed on one thread: the matrices are small, so threads gain nothing and suffer much from other
    work on the machine, and sums do not depend on the number of cores.

    Args:
        members: a scorer for each member; one alone where there is no ensemble.
        combine: of an ensemble what makes one score of theirs; else None.
        seed: base seed.
        machine: machine type.
        section: its section.
    """

    def __init__(
        self, members: Sequence[Component], combine: Component | None, seed: int, machine: str, section: str
    ) -> None:
        self._members = members
        self._combine = combine
        self._place = seed, machine, section
        self._fit_last: tuple[Component, Embeddings]  # the scorer that gives the score, and what it was fitted to
        self.training: Sequence[TrainingClip] = ()  # clips that the threshold follows from
        self.fitted: list[Scorer] = []  # of the members, and of an ensemble the one that combines them

    def fit(self, rows: Sequence[Embeddings], clips: Sequence[TrainingClip]) -> Self:
        """Fit to the embeddings of a machine type's training clips.

        Args:
            rows: by member, (n, dim).
            clips: what is known of them.
        """
        import scipy.linalg  # noqa: F401  # brings a BLAS of its own, which can be limited only once it is there

        *_, section = self._place
        with one_thread():
            columns = []
            for component, of_member in zip(self._members, rows, strict=True):
                self._fit(component, of_member, clips)
                if self._combine is not None:
                    scores = self.training_scores(scores_for_units)
                    columns.append(scores[[clip.section == section for clip in self.training]])
            if self._combine is not None:
                self._fit(self._combine, _side_by_side(columns), [clip for clip in clips if clip.section == section])
        return self

    def training_scores(self, by: TrainingScores = held_out_scores) -> ScoreArray:
        """Scores of ``training`` by scorers that have not seen the clips, where that can be had, float64 (m,).

        ``by`` scores them: for a threshold, or for units.
        """
        component, rows = self._fit_last
        fitted = partial(fitted_scorer, component, *self._place)
        with one_thread():
            return scores_of_training(self.fitted[-1], rows, self.training, fitted, component.name, by)

    @property
    def notes(self) -> list[str]:
        """Of the scorers."""
        components = [*self._members, *filter(None, [self._combine])]
        pairs = zip(components, self.fitted, strict=True)
        return [note for component, scorer in pairs for note in checked_notes(scorer.notes, component.name)]

    def score(self, rows: Sequence[Embeddings]) -> ScoreArray:
        """Scores of recordings from their embeddings by member, (n, dim) each."""
        with one_thread():
            columns = [
                checked_scores(scorer.score(of_member), len(of_member), component.name)
                for scorer, component, of_member in zip(self.fitted, self._members, rows, strict=False)
            ]
            if self._combine is None:
                return columns[0]
            return checked_scores(self.fitted[-1].score(_side_by_side(columns)), len(columns[0]), self._combine.name)

    def _fit(self, component: Component, rows: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Fit one scorer to the clips that its card says: those of the section, or of the machine type."""
        assert isinstance(component.card, ScorerCard)
        *_, section = self._place
        whole = component.card.fit_on == "machine"
        chosen = [place for place, clip in enumerate(clips) if whole or clip.section == section]
        self.training, rows = [clips[place] for place in chosen], rows[chosen]
        self._fit_last = component, rows
        self.fitted.append(fitted_scorer(component, *self._place, rows, self.training))


def section_scorer(cell: Cell, machine: str, section: str) -> SectionScorer:
    """The scorer of a section that a run has."""
    scorers = [member.scorer for member in cell.members]
    return SectionScorer(scorers or [cell.scorer], cell.scorer if scorers else None, cell.seed, machine, section)


def _side_by_side(columns: Sequence[ScoreArray]) -> Embeddings:
    return np.stack(columns, axis=1).astype(np.float32)  # as a run stores members' scores


def fitted_scorer(
    component: Component, seed: int, machine: str, section: str, rows: Embeddings, clips: Sequence[TrainingClip]
) -> Scorer:
    """The scorer of one section, fitted to training embeddings (n, dim) of ``clips``.

    A scorer whose card says fit_on = "machine" is the same for all sections.
    """
    assert isinstance(component.card, ScorerCard)
    scorer: Scorer = component.build()
    names = [component.name, machine] + ([section] if component.card.fit_on == "section" else [])
    scorer.seed = derive_seed(seed, "scorer", *names)
    scorer.fit(rows, clips)
    return scorer


def scores_of_training(
    scorer: Scorer,
    rows: Embeddings,
    clips: Sequence[TrainingClip],
    fitted: FittedScorer,
    name: str,
    by: TrainingScores = held_out_scores,
) -> ScoreArray:
    """Scores of training clips, by scorers that have not seen them where that can be had, float64 (n,).

    ``by`` scores them: for a threshold, or for units (``scores_for_units``).

    Raises:
        AsdbenchError: the scorer gives training scores that are not finite or not one a clip.
    """
    return checked_scores(by(scorer, rows, clips, fitted), len(clips), name, "training scores")
