"""Fit the scorer on training embeddings, score test embeddings, set thresholds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from asdbench.core.digests import derive_seed
from asdbench.datasets import BlindClip, Clip, Dataset, TrainingClip
from asdbench.harness.outputs import OutputError, checked_notes, checked_scores
from asdbench.protocols import Threshold, ThresholdRule
from asdbench.protocols.threshold import DEFAULT_RULE
from asdbench.registry import Component
from asdbench.registry.cards import ScorerCard
from asdbench.scorers.base import Embeddings, Scorer
from asdbench.scorers.base import Scores as ScoreArray
from asdbench.scorers.out_of_fold import held_out_scores


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
    """Score one machine type's test clips, section by section, on one thread.

    The matrices are small, so threads gain nothing and suffer much from other work on the machine, and sums do not
    depend on the number of cores.

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
    import scipy.linalg  # noqa: F401  # brings a BLAS of its own, which can be limited only once it is there

    assert isinstance(component.card, ScorerCard)
    dataset = dataset.select(machines=[machine])
    row_of = {clip.key: row for row, clip in enumerate(dataset.blind_view())}
    scored = {}
    for _, section in dataset.select(split="test").sections:
        training = (dataset if component.card.fit_on == "machine" else dataset.select(section=section)).training_view()
        test = dataset.select(split="test", section=section).blind_view()
        training_rows, test_rows = (rows[[row_of[clip.key] for clip in clips]] for clips in (training, test))
        fitted, name = partial(fitted_scorer, component, seed, machine, section), component.name
        with threadpool_limits(limits=1):
            scorer = fitted(training_rows, training)
            scores = checked_scores(scorer.score(test_rows), len(test), name)
            training_scores = scores_of_training(scorer, training_rows, training, fitted, name, by)
            threshold = rule.fit(training_scores, [clip.domain for clip in training])
        if not np.isfinite(threshold.value):
            raise OutputError(f"The training scores of {name} give no threshold: it is {threshold.value}.")
        scored[section] = ScoredSection(
            clips=test,
            scores=scores,
            decisions=(scores > threshold.value).astype(np.int64),
            threshold=threshold,
            notes=tuple(checked_notes([*scorer.notes, *filter(None, [threshold.note])], name)),
            training=training,
            training_scores=training_scores,
        )
    return scored


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
