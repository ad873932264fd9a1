"""Average ranks over all boards at once, where systems share several: that many machine types have power."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from asdbench.leaderboard.table import Table
from asdbench.protocols.average_ranks import FEW_BLOCKS, LEAST_SYSTEMS, AverageRanks, Block, average_ranks

Scores = dict[str, dict[Block, float]]  # by system


def overall_ranks(tables: Mapping[str, Table]) -> AverageRanks | None:
    """Average ranks of the systems that several boards share, over all machine types of these boards.

    Of all sets of boards the one counts that gives most results, systems times machine types. Systems with the same
    result on every machine type are one, by the name that comes first.

    Returns:
        None where no boards share three systems on five machine types, or where no two of the systems are apart.
    """
    by_board = {name: scores for name, table in tables.items() if (scores := _scores(table))}
    sets = [names for size in range(2, len(by_board) + 1) for names in combinations(by_board, size)]
    candidates = [shared for names in sets if (shared := _shared([by_board[name] for name in names]))]
    if not candidates:
        return None
    scores = max(candidates, key=lambda one: sum(map(len, one.values())))
    ranks = average_ranks(scores)
    ordered = list(ranks.ranks)
    return ranks if ranks.apart(ordered[0], ordered[-1]) else None


def _scores(table: Table) -> Scores:
    """By label of each ranked system, also those that share a row."""
    scores: Scores = {}
    for row in table.rows:
        if row.rank is not None and row.system is not None:
            cells = {(table.board.name, name): cell.value for name, cell in row.machines.items()}
            known = {block: value for block, value in cells.items() if value is not None}
            scores |= {system.label: known for system in (row.system, *row.same)}
    return scores


def _shared(boards: Sequence[Scores]) -> Scores:
    """The scores of what all of the boards have, each once; empty where that is too little."""
    scores: Scores = {}
    seen: set[tuple[float, ...]] = set()
    for label in sorted(set.intersection(*(set(board) for board in boards))):
        together = {block: value for board in boards for block, value in board[label].items()}
        if tuple(together.values()) not in seen:
            seen.add(tuple(together.values()))
            scores[label] = together
    enough = len(scores) >= LEAST_SYSTEMS and len(next(iter(scores.values()))) >= FEW_BLOCKS
    return scores if enough else {}
