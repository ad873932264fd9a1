"""A board with all its numbers: scores, intervals, ranks and chance."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import fmean

from asdbench.core.digests import digest
from asdbench.core.threads import one_thread
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.chance import Chance, chance_of
from asdbench.leaderboard.entry import Entry
from asdbench.leaderboard.references import terms_of
from asdbench.leaderboard.rows import Row, chance_row, is_complete, measured_row, official_scores, published_row
from asdbench.leaderboard.systems import System
from asdbench.protocols.average_ranks import shared_ranks
from asdbench.protocols.resampling import (
    REPLICATES,
    Resampled,
    Sections,
    difference,
    interval,
    over_seeds,
    resampled_scores,
)


@dataclass(frozen=True)
class Table:
    """A board with all its numbers."""

    board: Board  # what it was made from
    rows: tuple[Row, ...]  # best first; those without a score last
    chance: Chance | None  # None where no test clips are known
    partial: tuple[str, ...]  # what the data of all measured rows lack; empty where any row is of whole data
    replicates: int  # resampled test sets behind intervals and ranks
    resampled: Mapping[str, Resampled]  # of the ranked rows, by their systems' keys

    @property
    def terms(self) -> tuple[str, ...]:
        """Columns between total and machine types."""
        return terms_of(self.board.protocol)

    def of(self, *kinds: str) -> list[Row]:
        """The rows that are "measured", "submitted", "published" or "chance"."""
        return [row for row in self.rows if row.kind in kinds]


def make_table(board: Board, replicates: int = REPLICATES) -> Table:
    """Compute every number of a board; the same records give the same numbers."""
    ranked, partial = _ranked(board)
    rows = [measured_row(board, system) for system in board.systems]
    scored = [row.system for row in rows if row.system is not None and row.score.value is not None]
    by_seed, entries = _by_scores(scored)
    every = _resampled(board, by_seed, entries, replicates)
    resampled = {system.key: every[system.key] for system in ranked}
    rows = _shared(rows, by_seed)
    ranks = _ranks([row.system for row in rows if row.system in ranked], resampled)
    for place, row in enumerate(rows):
        if row.system is not None and row.system.key in every:
            key = row.system.key
            rows[place] = replace(row, rank=ranks.get(key), interval=interval(every[key].total))
    rows += [published_row(board, reference) for reference in board.references.values()]
    sections = _sections(board, ranked)
    chance = chance_of(board.protocol, sections) if sections else None
    rows.append(chance_row(board, chance))
    return Table(board, tuple(sorted(rows, key=_order)), chance, partial, replicates, resampled)


def _ranked(board: Board) -> tuple[list[System], tuple[str, ...]]:
    """The systems that are ranked, all on the same data: whole ones, or, where all are partial, those alike."""
    complete = [system for system in board.systems if is_complete(board, system)]
    whole = [system for system in complete if not system.lacks]
    if whole or not complete:
        return whole, ()
    data = {record.dataset.fingerprint for system in complete for record in system.records}
    return (complete if len(data) == 1 else []), complete[0].lacks


def _by_scores(systems: Sequence[System]) -> tuple[dict[str, dict[int, str]], dict[str, Entry]]:
    """Digests of all scores by the systems' keys and seeds, and an entry with the scores of each digest."""
    entries: dict[str, Entry] = {}
    by_seed: dict[str, dict[int, str]] = {}
    for system in systems:
        for entry in system.runs.values():
            sections = entry.scores.items()
            scores = digest({name: {no: rows.scores for no, rows in of.items()} for name, of in sections}, 32)
            entries[scores] = entry
            by_seed.setdefault(system.key, {})[entry.record.asked.seed] = scores
    return by_seed, entries


def _shared(rows: Sequence[Row], by_seed: Mapping[str, Mapping[int, str]]) -> list[Row]:
    """Systems with the same score for every clip in one row, that of the cheapest."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        scores = frozenset(by_seed.get(row.system.key, {}).values()) if row.system else frozenset()
        groups.setdefault((row.kind, row.partial, scores) if scores else id(row), []).append(row)
    shared = []
    for group in groups.values():
        first, *others = sorted(group, key=lambda row: ((row.train_s or 0.0) + (row.score_s or 0.0), row.label))
        shared.append(replace(first, same=tuple(row.system for row in others if row.system is not None)))
    return shared


def _resampled(
    board: Board, by_seed: Mapping[str, Mapping[int, str]], entries: Mapping[str, Entry], replicates: int
) -> dict[str, Resampled]:
    """Resampled scores by the systems' keys; runs with the same scores are resampled once, several runs at a time."""
    # NumPy works outside Python's lock, and products of small matrices are slower in several threads each.
    with one_thread(), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        found = pool.map(lambda entry: resampled_scores(board.protocol, entry.sections(), replicates), entries.values())
        runs = dict(zip(entries, found, strict=True))
    return {key: over_seeds({seed: runs[of] for seed, of in seeds.items()}) for key, seeds in by_seed.items()}


def _ranks(systems: Sequence[System], resampled: Mapping[str, Resampled]) -> dict[str, int]:
    """Ranks shared by systems whose paired difference is not significant; all by the systems' keys."""
    scores = {system.key: fmean(official_scores(system)) for system in systems}

    def better(first: str, second: str) -> bool:
        return difference(scores[first] - scores[second], resampled[first], resampled[second]).significant

    ordered = sorted(systems, key=lambda system: (-scores[system.key], system.label, system.key))
    return shared_ranks([system.key for system in ordered], better)


def _sections(board: Board, ranked: Sequence[System]) -> Sections | None:
    """Labels and domains of the clips of all machine types; None where not all are known."""
    whole = [system for system in board.systems if not system.lacks]
    entries: dict[str, Entry] = {}  # the first that has the machine type
    for system in (*ranked, *whole):
        for entry in system.runs.values():
            entries = dict.fromkeys(entry.scores, entry) | entries
    if set(entries) != set(board.machines):
        return None
    return {
        (machine, section): rows.rows()
        for machine, entry in entries.items()
        for section, rows in entry.scores[machine].items()
    }


def _order(row: Row) -> tuple[bool, float, int, str]:
    """Best first; ranked before others of the same score."""
    value = row.score.value
    return value is None, -(value or 0.0), row.rank or 10**9, row.label
