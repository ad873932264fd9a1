"""Scores of healthy clips by systems that have not seen them: extractor and scorer are fitted to the others.

A network knows the clips that it was trained on, so that their scores say little of new ones. The clips are parted into
folds, each of which is scored by a system that was fitted to the rest. New clips are scored by the system that was
fitted to all, which comes near to what Barber et al. prove for the systems of the folds (Predictive inference with the
jackknife+, 2021).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.core.paths import cache_root
from asdbench.core.progress import Progress
from asdbench.datasets import Dataset, TrainingClip
from asdbench.datasets.folds import folds
from asdbench.harness.cells import Cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.fits import Embedded
from asdbench.harness.machine import available_cores
from asdbench.harness.scoring import section_scorer
from asdbench.scorers.base import Embeddings as Rows

FEWEST = 2  # clips of a machine type that each fit leaves out

HeldOut = Mapping[str, Mapping[str, dict[str, float]]]  # score by machine type, section and key of the clip


def is_trained(cell: Cell) -> bool:
    """Whether an extractor of it learns from the training clips."""
    return any(member.extractor.build().needs_fit for member in cell.members or (cell,))


def held_out_scores(cell: Cell, machines: Sequence[str], count: int, progress: Progress) -> HeldOut:
    """Train ``count`` times on part of the clips, and score the others. Raises AsdbenchError: a fit failed."""
    fold_of: dict[str, int] = {}
    for machine in machines:
        clips = cell.dataset.training(machine)
        of_clips = folds(clips, max(2, min(count, len(clips) // FEWEST))).tolist()
        fold_of |= {clip.key: fold for clip, fold in zip(clips, of_clips, strict=True)}
    scores: dict[str, dict[str, dict[str, float]]] = {machine: {} for machine in machines}
    for number in range(max(fold_of.values()) + 1):
        left_out = {key for key, fold in fold_of.items() if fold == number}
        parted = replace(cell, dataset=_without(cell.dataset, left_out))
        members = [replace(member, dataset=parted.dataset) for member in cell.members] or [parted]
        embedded = [embed(member, machines, progress) for member in members]
        for machine in machines:
            clips = cell.dataset.training(machine)
            rows = [training_rows(one, cell, machine, clips) for one in embedded]
            for section in {clip.section for clip in clips}:
                found = _scores(cell, machine, section, rows, clips, left_out)
                scores[machine].setdefault(section, {}).update(found)
    return scores


def embed(member: Cell, machines: Sequence[str], progress: Progress) -> Embedded:
    """Embeddings of machine types by one extractor, which is trained where it is not in the cache.

    Raises:
        AsdbenchError: a fit failed.
    """
    embedded = EmbeddingStage(member, cache_root(), progress, available_cores()).run(machines)
    failed = next((one for one in embedded.failures if one.machine in (None, *machines)), None)
    if failed is not None:
        raise AsdbenchError(f"{member.name}: {failed.reason}")
    return embedded


def training_rows(embedded: Embedded, cell: Cell, machine: str, clips: Sequence[TrainingClip]) -> Rows:
    """Embeddings (n, dim) of a machine type's training clips."""
    row_of = {clip.key: row for row, clip in enumerate(cell.dataset.blind(machine))}
    return np.ascontiguousarray(embedded.rows[machine][[row_of[clip.key] for clip in clips]])


def _without(dataset: Dataset, left_out: set[str]) -> Dataset:
    """The data set with some training clips among the test clips, where no fit sees them."""
    clips = [replace(clip, split="test", label=None) if clip.key in left_out else clip for clip in dataset]
    return replace(dataset, clips=tuple(clips))


def _scores(
    cell: Cell, machine: str, section: str, rows: Sequence[Rows], clips: Sequence[TrainingClip], left_out: set[str]
) -> dict[str, float]:
    """Scores of clips that were left out, by key."""
    scorer = section_scorer(cell, machine, section)
    rows_left_out = np.array([clip.key in left_out for clip in clips])
    scorer.fit([one[~rows_left_out] for one in rows], [clip for clip in clips if clip.key not in left_out])
    found: NDArray[np.float64] = scorer.score([one[rows_left_out] for one in rows])
    return dict(zip([clip.key for clip in clips if clip.key in left_out], found.tolist(), strict=True))
