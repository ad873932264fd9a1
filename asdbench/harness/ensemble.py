"""Ensembles: what a member, which is a run of its own, makes of each clip."""

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.harness.cells import Cell
from asdbench.harness.fits import Embedded
from asdbench.harness.scoring import score_machine
from asdbench.scorers.out_of_fold import scores_for_units


def member_scores(member: Cell, machine: str, embedded: Embedded) -> tuple[NDArray[np.float32], list[str]]:
    """Anomaly scores (n,) of a machine type's clips, in the order of ``Dataset.blind``, and notes.

    Scores of training clips are by scorers that have not seen them, as far as the member's scorer has such.

    Raises:
        AsdbenchError: the member failed.
    """
    try:
        rows = embedded.of(machine)
        sections = score_machine(member.dataset, rows, member.scorer, member.seed, machine, by=scores_for_units)
    except AsdbenchError as error:
        raise AsdbenchError(f"{member.name}, a member of the ensemble: {error}") from error
    row_of = {clip.key: row for row, clip in enumerate(member.dataset.blind(machine))}
    column = np.zeros(len(row_of), np.float32)  # which stays where a section has no test clips: nothing reads it
    notes = list(embedded.notes)
    for section, scored in sections.items():
        notes += scored.notes
        for clip, score in zip(scored.training, scored.training_scores, strict=True):
            if clip.section == section:
                column[row_of[clip.key]] = score
        column[[row_of[clip.key] for clip in scored.clips]] = scored.scores
    return column, notes
