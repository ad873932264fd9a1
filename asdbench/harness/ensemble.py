"""Ensembles: what the members, which are runs of their own, make of each clip."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.datasets import TrainingClip
from asdbench.harness.cells import Cell
from asdbench.harness.fits import Embedded
from asdbench.harness.scoring import fitted_scorer, score_machine, scores_of_training
from asdbench.scorers.base import Embeddings, Scores
from asdbench.scorers.out_of_fold import scores_for_units

Embed = Callable[[Cell, str], Embedded]


def member_scores(cell: Cell, machine: str, embed: Embed, done: Embedded) -> NDArray[np.float32]:
    """Anomaly scores (n, members) of a machine type's clips, in the order of ``Dataset.blind``.

    They are those of the members' own runs, with which fits and embeddings are shared. Scores of training clips are by
    scorers that have not seen them, as far as the member's scorer has such.

    Raises:
        AsdbenchError: a member failed.
    """
    return np.stack([_column(member, machine, embed, done) for member in cell.members], axis=1)


def _column(member: Cell, machine: str, embed: Embed, done: Embedded) -> NDArray[np.float32]:
    embedded = embed(member, machine)
    if machine not in embedded.rows:
        raise _failure(member, next((failure.reason for failure in embedded.failures), "it has no embeddings"))
    try:
        sections = score_machine(
            member.dataset, embedded.rows[machine], member.scorer, member.seed, machine, by=scores_for_units
        )
    except AsdbenchError as error:
        raise _failure(member, str(error)) from error
    row_of = {clip.key: row for row, clip in enumerate(member.dataset.blind(machine))}
    column = np.zeros(len(row_of), np.float32)  # which stays where a section has no test clips: nothing reads it
    notes = list(embedded.notes)
    for section, scored in sections.items():
        notes += scored.notes
        for clip, score in zip(scored.training, scored.training_scores, strict=True):
            if clip.section == section:
                column[row_of[clip.key]] = score
        column[[row_of[clip.key] for clip in scored.clips]] = scored.scores
    done.add_notes([f"{member.name}: {note}" for note in notes])
    return column


def _failure(member: Cell, reason: str) -> AsdbenchError:
    return AsdbenchError(f"{member.name}, a member of the ensemble: {reason}")


class FittedEnsemble:
    """An ensemble fitted to clips, whose ``rows`` are the members' embeddings side by side, ``dims`` wide each."""

    def __init__(
        self,
        cell: Cell,
        machine: str,
        section: str,
        dims: Sequence[int],
        rows: Embeddings,
        clips: Sequence[TrainingClip],
    ) -> None:
        self._ends = np.cumsum(dims)[:-1]
        self._members = []
        columns = []
        for member, of_member in zip(cell.members, self._split(rows), strict=True):
            fitted = partial(fitted_scorer, member.scorer, cell.seed, machine, section)
            self._members.append(scorer := fitted(of_member, clips))
            name = member.scorer.name
            columns.append(scores_of_training(scorer, of_member, clips, fitted, name, scores_for_units))
        self._scorer = fitted_scorer(cell.scorer, cell.seed, machine, section, _side_by_side(columns), clips)

    def score(self, rows: Embeddings) -> Scores:
        """Anomaly score of each row, float64 (m,)."""
        columns = [scorer.score(of_member) for scorer, of_member in zip(self._members, self._split(rows), strict=True)]
        return self._scorer.score(_side_by_side(columns))

    def _split(self, rows: Embeddings) -> list[Embeddings]:
        return np.split(rows, self._ends, axis=1)


def _side_by_side(columns: Sequence[Scores]) -> Embeddings:
    return np.stack(columns, axis=1).astype(np.float32)  # as an ensemble's embeddings are stored
