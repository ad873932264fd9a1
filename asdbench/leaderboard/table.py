"""A board with all its numbers: scores, intervals, ranks and chance."""

from collections.abc import Mapping
from dataclasses import replace

from asdbench.core.digests import digest
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.entry import Entry
from asdbench.leaderboard.measured import is_complete, mean_score, measured_row
from asdbench.leaderboard.published import board_chance, chance_row, published_row
from asdbench.leaderboard.rows import Row, Table
from asdbench.leaderboard.systems import System
from asdbench.protocols.ranking import shared_ranks
from asdbench.protocols.resampling import REPLICATES, Resampled, difference, interval, over_seeds, resampled_scores


def make_table(board: Board, replicates: int = REPLICATES) -> Table:
    """Compute every number of a board; the same records give the same numbers."""
    resampler = _Resampler(board.protocol, replicates)
    cohort, partial = _cohort(board)
    resampled = {system.key: resampler.of(system) for system in cohort}
    scores = {system.key: mean_score(system) for system in cohort}
    ranks = _ranks(scores, resampled, {system.key: system.label for system in cohort})
    rows = []
    for system in board.systems:
        row = measured_row(board, system)
        if system.key in resampled:
            own = interval(resampled[system.key].total)
            row = replace(row, rank=ranks[system.key], interval=own)
        elif row.score.value is not None:
            row = replace(row, interval=interval(resampler.of(system).total))
        rows.append(row)
    rows += [published_row(board, reference) for reference in board.references.values()]
    chance = board_chance(board, cohort)
    rows.append(chance_row(board, chance))
    return Table(board, tuple(sorted(rows, key=_order)), chance, partial, replicates, resampled)


def _ranks(
    scores: Mapping[str, float], resampled: Mapping[str, Resampled], labels: Mapping[str, str]
) -> dict[str, int]:
    """Ranks shared by systems whose paired difference is not significant; all by the systems' keys."""

    def better(first: str, second: str) -> bool:
        return difference(scores[first] - scores[second], resampled[first], resampled[second]).significant

    return shared_ranks(sorted(scores, key=lambda one: (-scores[one], labels[one], one)), better)


class _Resampler:
    """Resampled scores of systems; runs with the same scores are resampled once."""

    def __init__(self, protocol: str, replicates: int) -> None:
        self.protocol, self.replicates = protocol, replicates
        self.known: dict[str, Resampled] = {}

    def of(self, system: System) -> Resampled:
        return over_seeds({entry.record.asked.seed: self._of_run(entry) for entry in system.runs.values()})

    def _of_run(self, entry: Entry) -> Resampled:
        key = digest({name: {no: own.scores for no, own in parts.items()} for name, parts in entry.scores.items()}, 32)
        if key not in self.known:
            self.known[key] = resampled_scores(self.protocol, entry.sections(), self.replicates)
        return self.known[key]


def _cohort(board: Board) -> tuple[list[System], tuple[str, ...]]:
    """The systems that are ranked, all on the same data: whole ones, or, where all are partial, those alike."""
    complete = [system for system in board.systems if is_complete(board, system)]
    whole = [system for system in complete if not system.lacks]
    if whole or not complete:
        return whole, ()
    data = {record.dataset.fingerprint for system in complete for record in system.records}
    return (complete, complete[0].lacks) if len(data) == 1 else ([], complete[0].lacks)


def _order(row: Row) -> tuple[bool, float, int, str]:
    """Best first; ranked before others of the same score."""
    value = row.score.value
    return value is None, -(value or 0.0), row.rank or 10**9, row.label
