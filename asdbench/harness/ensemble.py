"""Ensembles: what the members, which are runs of their own, make of each clip."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.harness.cells import Cell
from asdbench.harness.fits import Embedded
from asdbench.harness.scoring import score_machine


class Stage(Protocol):
    """What embeds the clips of a member."""

    def add_group(self, group: list[str], done: Embedded) -> None:
        """Compute or read the embeddings of machine types that share a fit."""


def member_scores(cell: Cell, machine: str, stage: Callable[[Cell], Stage], done: Embedded) -> NDArray[np.float32]:
    """Anomaly scores (n, members) of a machine type's clips, in the order of ``blind_view``.

    They are those of the members' own runs, with which fits and embeddings are shared. Scores of training clips are by
    scorers that have not seen them, as far as the member's scorer has such.

    Args:
        cell: the ensemble.
        machine: machine type.
        stage: gives what embeds the clips of a member.
        done: takes what the members' fits and scorers noted.

    Raises:
        AsdbenchError: a member failed.
    """
    return np.stack([_column(member, machine, stage, done) for member in cell.members], axis=1)


def _column(member: Cell, machine: str, stage: Callable[[Cell], Stage], done: Embedded) -> NDArray[np.float32]:
    own = Embedded()
    stage(member).add_group(member.group_of(machine), own)
    if machine not in own.rows:
        raise _of_member(member, next((failure.reason for failure in own.failures), "it has no embeddings"))
    clips = member.dataset.blind(machine)
    place = {clip.key: row for row, clip in enumerate(clips)}
    column = np.zeros(len(clips), np.float32)  # which stays where a section has no test clips: nothing reads it
    try:
        scored = score_machine(member.dataset, own.rows[machine], member.scorer, member.seed, machine)
    except AsdbenchError as error:
        raise _of_member(member, str(error)) from error
    notes = list(own.notes)
    for section, found in scored.items():
        notes += found.notes
        for clip, score in zip(found.training, found.training_scores, strict=True):
            if clip.section == section:
                column[place[clip.key]] = score
        column[[place[clip.key] for clip in found.clips]] = found.scores
    for note in (f"{member.name}: {note}" for note in notes):
        if note not in done.notes:
            done.notes.append(note)
    return column


def _of_member(member: Cell, reason: str) -> AsdbenchError:
    return AsdbenchError(f"{member.name}, a member of the ensemble: {reason}")
