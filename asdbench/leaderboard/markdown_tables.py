"""The tables of a board's Markdown page, none wider than a code host shows without cutting."""

import math
from collections.abc import Sequence

from asdbench.leaderboard import text
from asdbench.leaderboard.rows import Cell, Row
from asdbench.leaderboard.table import Table
from asdbench.leaderboard.text import NONE, percent
from asdbench.pages.markdown import escaped

MACHINES = 6  # in one table


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 2) -> str:
    """A Markdown table whose columns stand in line in a terminal too; the first ``left`` columns are left-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    dashes = ["-" * (width - 1) for width in widths]
    rule = [f":{dash}" if column < left else f"{dash}:" for column, dash in enumerate(dashes)]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def main_table(table: Table) -> str:
    """Ranks, scores and what was learned."""
    best = text.best_of(table).get("score")
    header = ["Rank", "System", "Score", "Learned", "95 % interval", "Seeds", "Parameters"]
    rows = [
        [
            str(row.rank or NONE),
            _name(row, text.same_text(row)),
            _bold(text.score_text(row).replace("*", "\\*"), row.score, best) + text.spread(row),
            text.learned_text(row),
            text.span(row.interval),
            str(row.seeds or NONE),
            text.count(row.parameters),
        ]
        for row in table.rows
    ]
    return _filled(header, rows, 2 if table.of("measured", "submitted") else 1)


def detail_table(table: Table) -> str:
    """The terms of the score, what it cost, and where the row is from."""
    best = text.best_of(table)
    header = ["System", *(text.TERM_NAMES[term] for term in table.terms), "Training, s", "Scoring, s", "Provenance"]
    rows = [
        [
            _name(row),
            *(_number(row, cell, best.get(term)) for term, cell in row.terms.items()),
            text.seconds(row.train_s),
            text.seconds(row.score_s),
            escaped(", ".join(filter(None, [text.provenance(row), row.date]))),
        ]
        for row in table.rows
    ]
    return _filled(header, rows, 1)


def machine_tables(table: Table) -> list[str]:
    """As many columns as a code host shows without cutting; the machine types of a long board in several tables."""
    best, machines = text.best_of(table), table.board.machines
    size = math.ceil(len(machines) / math.ceil(len(machines) / MACHINES)) if machines else 1
    return [
        aligned(
            ["System", *map(escaped, names)],
            [
                [_name(row), *(_number(row, row.machines[name], best.get(f"machine:{name}")) for name in names)]
                for row in table.rows
                if not row.total_alone
            ],
            left=1,
        )
        for names in (machines[at : at + size] for at in range(0, len(machines), size))
    ]


def _filled(header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """A table without columns in which nothing stands: published rows alone have neither ranks nor cost."""
    filled = [i for i in range(len(header)) if any(cells[i] != NONE for cells in rows)]
    return aligned([header[i] for i in filled], [[cells[i] for i in filled] for cells in rows], left)


def _name(row: Row, *marks: str) -> str:
    """The label and what is to be known wherever the row's scores stand, and ``marks``."""
    kind = "partial" if row.partial else row.kind if row.kind in ("submitted", "published") else ""
    known = ", ".join(escaped(mark) for mark in (kind, row.mark, *marks) if mark)
    return escaped(row.label) + (f" ({known})" if known else "")


def _number(row: Row, cell: Cell, best: float | None) -> str:
    if cell.value is None:
        return NONE if row.total_alone else "missing"
    return percent(cell.value) if row.kind == "chance" else _bold(percent(cell.value), cell, best)


def _bold(number: str, cell: Cell, best: float | None) -> str:
    return f"**{number}**" if best is not None and cell.value == best else number
