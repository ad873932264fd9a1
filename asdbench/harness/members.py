"""What the members of an ensemble make of each clip: the ensemble's embeddings."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.harness.kept import Embedded
from asdbench.harness.plan import Cell
from asdbench.harness.scoring import score_machine


class Stage(Protocol):
    """What embeds a member's clips."""

    def add_group(self, group: list[str], done: Embedded) -> None:
        """Compute or read the embeddings of machine types that share a fit."""


class Members:
    """Runs each member as a run of its own would: fits and embeddings are shared with such a run, and scores equal.

    Args:
        cell: a run with the ensemble.
        stage: gives what embeds the clips of a member's cell.

    Attributes:
        notes: what the members' fits and scorers noted.
    """

    def __init__(self, cell: Cell, stage: Callable[[Cell], Stage]) -> None:
        self._table = cell.data.table
        self._cells = [
            replace(cell, system=None, pipeline=pipeline, scorer=scorer) for pipeline, scorer in cell.pipeline.members
        ]
        self._stage = stage
        self.notes: list[str] = []

    def scores(self, machine: str) -> NDArray[np.float32]:
        """Anomaly scores (n, members) of a machine type's clips, in the order of ``blind_view``.

        Those of training clips are by scorers that have not seen them, as far as the member's scorer has such.

        Raises:
            AsdbenchError: a member failed.
        """
        return np.stack([self._column(cell, machine) for cell in self._cells], axis=1)

    def _column(self, cell: Cell, machine: str) -> NDArray[np.float32]:
        done = Embedded()
        self._stage(cell).add_group(next(group for group in cell.groups if machine in group), done)
        if machine not in done.rows:
            raise _of_member(cell, next((failure.reason for failure in done.failures), "it has no embeddings"))
        self._note(cell, done.notes)
        clips = self._table.select(machines=[machine]).blind_view()
        place = {(clip.key, clip.section): row for row, clip in enumerate(clips)}
        column = np.zeros(len(clips), np.float32)  # which stays where a section has no test clips: nothing reads it
        try:
            outcomes = score_machine(self._table, done.rows[machine], cell.scorer, cell.seed, machine)
        except AsdbenchError as error:
            raise _of_member(cell, str(error)) from error
        for section, outcome in outcomes.items():
            self._note(cell, outcome.notes)
            for clip, score in zip(outcome.training, outcome.training_scores, strict=True):
                if clip.section == section:
                    column[place[clip.key, section]] = score
            column[[place[clip.key, section] for clip in outcome.clips]] = outcome.scores
        return column

    def _note(self, cell: Cell, notes: list[str] | tuple[str, ...]) -> None:
        told = [f"{cell.name}: {note}" for note in notes]
        self.notes += [note for note in told if note not in self.notes]


def _of_member(cell: Cell, reason: str) -> AsdbenchError:
    return AsdbenchError(f"{cell.name}, a member of the ensemble: {reason}")
