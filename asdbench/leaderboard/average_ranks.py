"""Average ranks for pages: of one board over its machine types, and over all boards at once, which has more power."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from asdbench.leaderboard.table import Table
from asdbench.protocols.average_ranks import FEW_BLOCKS, LEAST_SYSTEMS, AverageRanks, Block, average_ranks

Scores = dict[str, dict[Block, float]]  # by label of a ranked system


def board_ranks(table: Table) -> AverageRanks | None:
    """Average ranks of a board; None where they say nothing: few systems or machine types, or no two of them apart."""
    every = _scores(table)
    scores = {row.label: every[row.label] for row in table.rows if row.label in every}
    ranks = average_ranks(scores) if len(scores) >= LEAST_SYSTEMS else None
    return ranks if ranks is not None and len(ranks.blocks) >= FEW_BLOCKS and _tells(ranks) else None


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
    ranks = average_ranks(max(candidates, key=lambda one: sum(map(len, one.values()))))
    return ranks if _tells(ranks) else None


def board_sentence(ranks: AverageRanks) -> str:
    """What the Friedman and Nemenyi tests say of one board."""
    differ = "the systems differ" if ranks.friedman_p < ranks.alpha else "no difference between the systems is shown"
    text = (
        f"Each machine type ranks the systems; 1 is best. Friedman test: {_p(ranks)}, so {differ} at the level "
        f"{ranks.alpha:g}. Average ranks that lie {ranks.critical_difference:.2f} or more apart (CD, Nemenyi test) "
        "differ significantly. The test sees ranks alone, so it distinguishes fewer systems than the paired "
        "bootstrap behind the table's ranks, and it is about machine types in general, not "
        "about these test clips."
    )
    return f"{text} {ranks.caution}" if ranks.caution else text


def overall_sentence(ranks: AverageRanks) -> str:
    """What they say over several boards."""
    best, *others = ranks.ranks
    apart = sum(ranks.apart(best, other) for other in others)
    return (
        f"{len(ranks.ranks)} systems on {len(ranks.blocks)} machine types of {len(boards_of(ranks))} boards; each type "
        f"ranks them, 1 is best. Friedman test: {_p(ranks)}. Average ranks {ranks.critical_difference:.2f} or more "
        f"apart (critical difference, Nemenyi test at {ranks.alpha:g}) differ significantly: {best} from {apart} of "
        f"the {len(others)} others."
    )


def boards_of(ranks: AverageRanks) -> set[str]:
    """Names of the boards whose machine types are averaged over."""
    return {board for board, _ in ranks.blocks}


def _tells(ranks: AverageRanks) -> bool:
    """Whether the first and the last are apart."""
    first, *_, last = ranks.ranks
    return ranks.apart(first, last)


def _p(ranks: AverageRanks) -> str:
    return f"p = {ranks.friedman_p:.3f}" if ranks.friedman_p >= 0.001 else "p < 0.001"


def _scores(table: Table) -> Scores:
    """Of each ranked system, also those that share a row."""
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
