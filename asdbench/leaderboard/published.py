"""Rows that are not measured here: published results, and chance."""

from collections.abc import Sequence

from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.chance import LEVEL, Chance, chance_of
from asdbench.leaderboard.references import Reference, terms_of
from asdbench.leaderboard.rows import Cell, Row
from asdbench.leaderboard.systems import System
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.resampling import Sections


def published_row(board: Board, reference: Reference) -> Row:
    """The row of a published result: no interval and no rank; the total as published, else from the parts."""
    cells = {}
    parts: dict[str, list[float]] = {term: [] for term in terms_of(board.protocol)}
    for machine in board.machines:
        own = reference.score_of(machine)
        cells[machine] = Cell(own, "" if own is not None else "not published")
        for term, value in (reference.terms(machine) or {}).items():
            parts[term].append(value)
    complete = all(cell.value is not None for cell in cells.values())
    score = Cell(None, "not all machine types were published")
    if reference.official_score is not None:
        score = Cell(reference.official_score / 100)
    elif complete and reference.computed_score is not None:
        score = Cell(reference.computed_score, "computed from the published parts")
    mean = DEFINITIONS[board.protocol].mean
    missing = Cell(None, "not all machine types were published")
    return Row(
        kind="published",
        name=reference.system,
        score=score,
        terms={term: Cell(float(mean(values))) if complete else missing for term, values in parts.items()},
        machines=cells,
        date=str(reference.year),
        reference=reference,
    )


def board_chance(board: Board, cohort: Sequence[System]) -> Chance | None:
    """Random scores on the board's own test clips; None where no entry tells the clips of every machine type."""
    sections = _clips(board, cohort)
    return chance_of(board.protocol, sections) if sections else None


def _clips(board: Board, cohort: Sequence[System]) -> Sections | None:
    """Labels and domains of the clips of all machine types; None where not all are known."""
    ranked = [entry for system in cohort for entry in system.runs.values()]
    others = [entry for system in board.systems if not system.lacks for entry in system.runs.values()]
    found: dict[str, Sections] = {}
    for entry in (*ranked, *others):
        sections = entry.sections() if set(entry.scores) - set(found) else {}
        for machine in set(entry.scores) - set(found):
            found[machine] = {key: rows for key, rows in sections.items() if key[0] == machine}
    if set(found) != set(board.machines):
        return None
    return {key: rows for parts in found.values() for key, rows in parts.items()}


def chance_row(board: Board, chance: Chance | None) -> Row:
    """The row of chance, which says whether it was drawn or is 50 by definition."""
    if chance is None:
        level = Cell(LEVEL)
        terms = dict.fromkeys(terms_of(board.protocol), level)
        return Row(
            "chance", "chance", "by definition", score=level, terms=terms, machines=dict.fromkeys(board.machines, level)
        )
    return Row(
        kind="chance",
        name="chance",
        variant="random scores on these test clips",
        score=Cell(chance.total),
        interval=chance.range95,
        terms={term: Cell(chance.terms[term]) for term in terms_of(board.protocol)},
        machines={machine: Cell(chance.machines[machine]) for machine in board.machines},
    )
