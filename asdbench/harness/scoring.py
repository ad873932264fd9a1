"""Fit the scorer on training embeddings, score test embeddings, set thresholds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from asdbench.core.digests import derive_seed
from asdbench.datasets import BlindClip, Dataset, TrainingClip
from asdbench.harness.outputs import OutputError, checked_notes, checked_scores
from asdbench.protocols import Threshold, fit_threshold
from asdbench.registry import Component
from asdbench.registry.cards import ScorerCard
from asdbench.scorers.base import Embeddings, Scorer
from asdbench.scorers.base import Scores as ScoreArray
from asdbench.scorers.out_of_fold import out_of_fold


@dataclass(frozen=True)
class ScoredSection:
    """Scores of one section's test clips, in the order of ``clips``.

    Attributes:
        clips: test clips.
        scores: of them.
        decisions: 1 where the score lies above the threshold.
        threshold: from the training scores.
        notes: what the scorer noted.
        training: training clips that the scorer was fitted on.
        training_scores: of them, by scorers that have not seen them where that can be had.
    """

    clips: Sequence[BlindClip]
    scores: ScoreArray
    decisions: NDArray[np.int64]
    threshold: Threshold
    notes: tuple[str, ...]
    training: Sequence[TrainingClip]
    training_scores: ScoreArray


Scores = dict[str, dict[str, ScoredSection]]  # by machine type and section


def score_machine(
    dataset: Dataset, rows: Embeddings, component: Component, seed: int, machine: str
) -> dict[str, ScoredSection]:
    """Score one machine type's test clips, section by section, on one thread.

    The matrices are small, so threads gain nothing and suffer much from other work on the machine, and sums do not
    depend on the number of cores.

    Args:
        dataset: the clips.
        rows: embeddings of the machine's clips, in the order of ``blind_view``.
        component: the scorer.
        seed: base seed.
        machine: machine type.

    Returns:
        Scores by section number.

    Raises:
        AsdbenchError: the scorer gives scores that are not finite or not one a clip.
    """
    import scipy.linalg  # noqa: F401  # brings a BLAS of its own, which can be limited only once it is there

    with threadpool_limits(limits=1):
        return _scored(dataset, rows, component, seed, machine)


def _scored(
    dataset: Dataset, rows: Embeddings, component: Component, seed: int, machine: str
) -> dict[str, ScoredSection]:
    assert isinstance(component.card, ScorerCard)
    own = dataset.select(machines=[machine])
    place = {clip.key: row for row, clip in enumerate(own.blind_view())}
    scored = {}
    for _, section in own.select(split="test").sections:
        fit_on = own if component.card.fit_on == "machine" else own.select(section=section)
        training = fit_on.training_view()
        test = own.select(split="test", section=section).blind_view()
        train_rows = rows[[place[clip.key] for clip in training]]
        fitted = partial(fitted_scorer, component, seed, machine, section)
        scorer = fitted(train_rows, training)
        scores = checked_scores(scorer.score(rows[[place[clip.key] for clip in test]]), len(test), component.name)
        training_scores = scores_of_training(scorer, train_rows, training, fitted, component.name)
        threshold = fit_threshold(training_scores)
        if not np.isfinite(threshold.value):
            raise OutputError(f"The training scores of {component.name} give no threshold: it is {threshold.value}.")
        scored[section] = ScoredSection(
            clips=test,
            scores=scores,
            decisions=(scores > threshold.value).astype(np.int64),
            threshold=threshold,
            notes=tuple(checked_notes(scorer.notes, component.name)),
            training=training,
            training_scores=training_scores,
        )
    return scored


def fitted_scorer(
    component: Component, seed: int, machine: str, section: str, rows: Embeddings, clips: Sequence[TrainingClip]
) -> Scorer:
    """The scorer of one section, fitted to training embeddings (n, dim) of ``clips``.

    Args:
        component: the scorer.
        seed: base seed.
        machine: machine type.
        section: its number; a scorer whose card says fit_on = "machine" is the same for all of them.
        rows: of the clips that the card's fit_on asks for.
        clips: what is known of them.
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
    fitted: Callable[[Embeddings, Sequence[TrainingClip]], Scorer],
    name: str,
) -> ScoreArray:
    """Scores of training clips, by scorers that have not seen them where that can be had, float64 (n,).

    Args:
        scorer: fitted to ``rows`` and ``clips``; where it knows such scores, these are taken.
        rows: embeddings (n, dim).
        clips: what is known of them.
        fitted: fits the same scorer to some of them.
        name: of the scorer.

    Raises:
        AsdbenchError: the scorer gives training scores that are not finite or not one a clip.
    """
    known = scorer.training_scores()
    found = known if known is not None else out_of_fold(rows, clips, fitted)
    return checked_scores(found, len(clips), name, "training scores")
