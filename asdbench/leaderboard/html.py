"""A board as one HTML page: sortable, with intervals drawn, whole in itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from asdbench.harness.learned import learned
from asdbench.leaderboard.diagram import diagram_of
from asdbench.leaderboard.markdown import MARKER
from asdbench.leaderboard.notes import column_notes, partial_note, summary
from asdbench.leaderboard.rows import Table
from asdbench.leaderboard.systems import System, setting
from asdbench.leaderboard.words import (
    TERM_NAMES,
    best_of,
    count,
    data_version,
    formula_of,
    learned_text,
    mean_and_spread,
    missing_of,
    percent,
    provenance,
    score_text,
    seconds,
    span,
    title_of,
    trained_of,
)
from asdbench.pages import asset, render_page, template

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Tick:
    """A line of the scale, ``at`` percent of its width."""

    at: str
    label: str


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
    def chance(self) -> str:
        """Of the level of chance."""
        return self.at(self.chance_value)

    @cached_property
    def ticks(self) -> Sequence[Tick]:
        """At multiples of 10 points, or of 5 on a short scale."""
        step = 5 if self.high - self.low <= 0.25 else 10 if self.high - self.low <= 0.6 else 20
        first = math.ceil(round(100 * self.low, 6) / step) * step
        return [Tick(self.at(value / 100), str(value)) for value in range(first, round(100 * self.high) + 1, step)]


def html_page(table: Table) -> str:
    """The page of one board."""
    board = table.board
    measured = bool(table.of("measured"))
    starred = sorted({row.score.reason for row in table.rows if row.score.value is not None and row.score.reason})
    body = template("board.html", TEMPLATES).render(
        board=board,
        rows=table.rows,
        terms=table.terms,
        term_names=TERM_NAMES,
        measured=measured,
        published=bool(table.of("published")),
        columns=5 + len(table.terms) + len(board.machines) + (7 if measured else 0),
        scale=Scale.of(table),
        best=best_of(table),
        title=title_of(board),
        summary=summary(table),
        formula=formula_of(board.protocol),
        version=data_version(board),
        partial_note=partial_note(table),
        starred="; ".join(starred),
        missing=missing_of(table),
        trained=trained_of(table),
        partial_rows=[row for row in table.rows if row.partial],
        notes=column_notes(table),
        diagram=diagram_of(table),
        percent=percent,
        span=span,
        count=count,
        seconds=seconds,
        provenance=provenance,
        score_text=score_text,
        learned_text=learned_text,
        learned=learned,
        mean_and_spread=mean_and_spread,
        settings_of=settings_of,
        environment_of=environment_of,
    )
    return render_page(
        f"{title_of(board)}: asdbench leaderboard",
        body,
        styles=[asset(TEMPLATES, "board.css")],
        scripts=[asset(TEMPLATES, "board.js")],
        marker=MARKER,
    )


def settings_of(system: System) -> list[tuple[str, str]]:
    """Each part of a system with its version and parameters, a line each."""
    record = system.records[0]
    parts = [("extractor", record.extractor), ("scorer", record.scorer), ("front end", record.frontend)]
    parts += [("augmentation", part) for part in record.augmentations]
    lines = []
    for role, part in parts:
        params = ", ".join(f"{name} {setting(value)}" for name, value in part.params.items())
        lines.append((role, f"{part.name}, version {part.version}" + (f": {params}" if params else "")))
    if record.asked.profile:
        lines.append(("profile", record.asked.profile))
    return lines


def environment_of(system: System) -> list[tuple[str, str]]:
    """What the runs were made with, each thing once."""

    def once(values: Sequence[str]) -> str:
        return "; ".join(dict.fromkeys(values))

    records = system.records
    told = [record.environment for record in records]
    packages = once([", ".join(f"{name} {number}" for name, number in one.packages.items()) for one in told])
    notes = once([note for record in records for note in record.notes])
    lines = [
        ("device", once([one.device + (f", threads {one.threads}" if one.threads else "") for one in told])),
        ("platform", once([f"{one.platform}, Python {one.python}" for one in told])),
        ("versions", packages),
        ("data", once([record.dataset.fingerprint for record in records])),
        ("notes", notes),
    ]
    return [(name, text) for name, text in lines if text]
