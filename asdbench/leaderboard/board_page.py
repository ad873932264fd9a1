"""The page of one board: as Markdown for GitHub and terminals, and as HTML, sortable and with intervals drawn."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from asdbench.harness.learned import learned
from asdbench.leaderboard import markdown_tables as tables
from asdbench.leaderboard import text
from asdbench.leaderboard.average_ranks import board_ranks, board_sentence
from asdbench.leaderboard.chance import DRAWINGS
from asdbench.leaderboard.cost_picture import HEIGHT, WIDTH, cost_pictures
from asdbench.leaderboard.row_details import Links, cards_of, environment_of, figures_of, settings_of
from asdbench.leaderboard.rows import Cell, Row
from asdbench.leaderboard.systems import command_of
from asdbench.leaderboard.table import Table
from asdbench.leaderboard.transfer import Transfer, sentence
from asdbench.leaderboard.verdict import verdict
from asdbench.pages import asset, render_page, template
from asdbench.pages.markdown import code, escaped

HELPERS: list[Callable[..., Any]] = [command_of, learned, settings_of, environment_of, cards_of, escaped, code]
HELPERS += [text.percent, text.span, text.count, text.seconds, text.provenance, text.score_text, text.learned_text]
HELPERS += [text.spread, text.same_text, text.cost_text, text.size_text, text.sort_key]
MARKER = "Rendered by asdbench leaderboard render from results/ and references/; do not edit by hand."
SHOWN = 3  # other boards that a page speaks of
TEMPLATES = Path(__file__).parent / "templates"


def board_pages(
    table: Table, elsewhere: Sequence[tuple[str, Transfer]] = (), links: Links = lambda *_: ""
) -> tuple[str, str]:
    """The page as Markdown, and as one HTML document that is whole in itself.

    Args:
        table: of the board.
        elsewhere: what its order is worth on other boards, by their titles.
        links: to the cards of what its systems are made of.
    """
    ranks = board_ranks(table)
    board, measured = table.board, bool(table.of("measured", "submitted"))
    title = text.title_of(board)
    starred = sorted({row.score.reason for row in table.rows if row.score.value is not None and row.score.reason})
    content = {
        **{helper.__name__: helper for helper in HELPERS},
        "marker": MARKER,
        "board": board,
        "title": title,
        "summary": text.summary(table),
        "formula": text.FORMULAS.get(board.protocol, text.FORMULA),
        "version": text.data_version(board),
        "verdict": verdict(table),
        "worth": sentence(elsewhere[:SHOWN]) if measured else "",
        "partial_note": text.partial_note(table),
        "rows": table.rows,
        "measured": measured,
        "published": bool(table.of("published")),
        "submitted": bool(table.of("submitted")),
        "columns": 6 if measured else 3,
        "links": links,
        "figures_of": partial(figures_of, table),
        "best": text.best_of(table),
        "scale": Scale.of(table),
        "starred": "; ".join(starred),
        "main_table": tables.main_table(table),
        "detail_table": tables.detail_table(table),
        "machine_tables": tables.machine_tables(table),
        "missing": text.missing_of(table),
        "partial_rows": [row for row in table.rows if row.partial],
        "trained": text.trained_of(table),
        "made": [system for row in table.of("measured") if row.system for system in (row.system, *row.same)],
        "sources": _sources(table.of("submitted", "published")),
        "pictures": cost_pictures(table),
        "map": score_map(table),
        "ranks": ranks,
        "rank_sentence": board_sentence(ranks) if ranks else "",
        "chance": table.chance,
        "size": (WIDTH, HEIGHT),
        "drawings": DRAWINGS,
        "replicates": table.replicates,
    }
    html = render_page(
        f"{title}: asdbench leaderboard",
        template("board.html", TEMPLATES).render(content),
        styles=[asset(TEMPLATES, "board.css"), asset(TEMPLATES, "ranks.css")],
        scripts=[asset(TEMPLATES, "board.js")],
        marker=MARKER,
    )
    return str(template("board.md", TEMPLATES).render(content)), html


@dataclass(frozen=True)
class Scale:
    """Where scores stand in the column of intervals, in percent of its width."""

    low: float
    high: float
    chance_value: float

    @classmethod
    def of(cls, table: Table) -> "Scale":
        """From below the lowest number to above the highest, chance included, in steps of 5 points."""
        chance = next(row.score.value for row in table.rows if row.kind == "chance") or 0.5
        values = [chance]
        for row in table.rows:
            values += [*(row.interval or ()), *([row.score.value] if row.score.value is not None else [])]
        low, high = (math.floor(20 * min(values)) / 20, math.ceil(20 * max(values)) / 20)
        return cls(max(low, 0.0), min(max(high, low + 0.1), 1.0), chance)

    def at(self, value: float) -> str:
        """From the left."""
        return f"{100 * (value - self.low) / (self.high - self.low):.2f}"

    def from_right(self, value: float) -> str:
        """From the right."""
        return f"{100 * (self.high - value) / (self.high - self.low):.2f}"

    @property
    def ticks(self) -> dict[str, str]:
        """Place and label of lines at multiples of 10 points, or of 5 on a short scale."""
        step = 5 if self.high - self.low <= 0.25 else 10 if self.high - self.low <= 0.6 else 20
        first = math.ceil(round(100 * self.low, 6) / step) * step
        return {self.at(value / 100): str(value) for value in range(first, round(100 * self.high) + 1, step)}


def score_map(table: Table) -> list[tuple[Row, list[tuple[str, Cell, float]]]]:
    """Systems by machine types: each score, and how far it lies from chance (0) to the best of the map (1).

    Empty for a single machine type, of which the total says all.
    """
    rows = [row for row in table.rows if not row.total_alone and row.kind != "chance"]
    level = next(row.score.value for row in table.rows if row.kind == "chance") or 0.5
    values = [cell.value for row in rows for cell in row.machines.values() if cell.value is not None]
    if len(table.board.machines) < 2 or len(rows) < 2 or not values:
        return []
    reach = max(max(values) - level, 0.01)
    return [
        (row, [(name, cell, ((cell.value or level) - level) / reach) for name, cell in row.machines.items()])
        for row in rows
    ]


def _sources(rows: Sequence[Row]) -> dict[str, str]:
    """Each source, and the systems that share it."""
    names: dict[str, list[str]] = {}
    for row in rows:
        reference = row.reference
        if reference is None:
            for one in row.system.runs.values() if row.system else ():
                assert one.submitted is not None
                source = f"<{one.submitted.source}>{f' {escaped(one.submitted.note)}' if one.submitted.note else ''}"
                names.setdefault(source, []).append(escaped(row.label))
            continue
        source = f"{escaped(reference.source).rstrip('.')}."
        if reference.url:
            source += f" <{reference.url}>"
        if reference.official_score is not None and reference.official_score_source:
            source += f" Total: {escaped(reference.official_score_source)}."
        if reference.card:
            source += f" Run it here: {code(f'asdbench run --system {reference.card}')}."
        names.setdefault(source, []).append(escaped(row.label))
    return {source: "; ".join(dict.fromkeys(systems)) for source, systems in names.items()}
