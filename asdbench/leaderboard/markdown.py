"""A board as Markdown, for people on GitHub and in a terminal."""

from collections.abc import Sequence

from asdbench.leaderboard.notes import column_notes, partial_note, summary
from asdbench.leaderboard.rows import Cell, Row, Table
from asdbench.leaderboard.words import (
    NONE,
    TERM_NAMES,
    best_of,
    count,
    data_version,
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
from asdbench.pages.markdown import code, escaped

MARKER = "Rendered by asdbench leaderboard render from results/ and references/; do not edit by hand."


def markdown_page(table: Table) -> str:
    """The page of one board."""
    board = table.board
    version = f" Data version {code(data_version(board)[:12])}." if data_version(board) else ""
    lines = [
        f"<!-- {MARKER} -->",
        "",
        f"# {escaped(title_of(board))}",
        "",
        f"{summary(table)} Protocol {code(board.protocol)}; all scores in percent.{version}",
        f"The same with intervals drawn, to sort and to filter: [{board.slug}.html]({board.slug}.html). "
        "All boards: [index.md](index.md).",
    ]
    if table.partial:
        lines += ["", f"**{escaped(partial_note(table))}**"]
    lines += ["", *_main(table), "", "## By machine type", "", *_machines(table)]
    missing = missing_of(table)
    if missing:
        lines += ["", "## Missing", ""]
        lines += [
            f"- {escaped(row.label)}: {escaped(', '.join(machines))}: {escaped(reason)}"
            for row, machines, reason in missing
        ]
    partial = [row for row in table.rows if row.partial]
    if partial:
        lines += ["", "## Partial data", ""]
        lines += [f"- {escaped(row.label)}: {escaped('; '.join(row.partial))}" for row in partial]
    trained = trained_of(table)
    if trained:
        lines += ["", "## Training", ""]
        lines += [f"- {escaped(name)}: {escaped(text)}." for name, text in trained]
    published = table.of("published")
    if published:
        lines += ["", "## Sources", "", *_sources(published)]
    lines += ["", "## Reading the table", "", *(f"- **{name}.** {text}" for name, text in column_notes(table))]
    return "\n".join(lines) + "\n"


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 2) -> list[str]:
    """A Markdown table whose columns stand in line in a terminal too; the first ``left`` columns are left-aligned."""
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        ":" + "-" * (width - 1) if column < left else "-" * (width - 1) + ":" for column, width in enumerate(widths)
    ]
    return [line(header), line(rule), *map(line, rows)]


def _main(table: Table) -> list[str]:
    best = best_of(table)
    header = ["Rank", "System", "Score", "Learned", "95 % interval", "Seeds", "Mean ± SD"]
    header += [TERM_NAMES[term] for term in table.terms]
    header += ["Parameters", "Training, s", "Scoring, s", "Date", "Provenance"]
    rows = []
    for row in table.rows:
        cells = [
            str(row.rank) if row.rank is not None else NONE,
            _name(row),
            _bold(score_text(row).replace("*", "\\*"), row.score, best.get("score")),
            learned_text(row),
            span(row.interval),
            str(row.seeds) if row.seeds else NONE,
            mean_and_spread(row),
            *(_number(row, cell, best.get(term)) for term, cell in row.terms.items()),
            count(row.parameters),
            seconds(row.train_s),
            seconds(row.score_s),
            escaped(row.date) or NONE,
            escaped(provenance(row)),
        ]
        rows.append(cells)
    if not table.of("measured"):  # published rows alone have neither ranks nor intervals, seeds, cost
        told = [i for i in range(len(header)) if any(cells[i] != NONE for cells in rows)]
        header, rows = [header[i] for i in told], [[cells[i] for i in told] for cells in rows]
    return aligned(header, rows, left=header.index("System") + 1)


def _machines(table: Table) -> list[str]:
    best = best_of(table)
    header = ["System", *map(escaped, table.board.machines)]
    rows = [
        [_name(row), *(_number(row, cell, best.get(f"machine:{name}")) for name, cell in row.machines.items())]
        for row in table.rows
        if not row.total_alone
    ]
    return aligned(header, rows, left=1)


def _name(row: Row) -> str:
    tags = ["partial"] if row.partial else ["published"] if row.kind == "published" else []
    tags += [row.mark] if row.mark else []
    return escaped(row.label) + (f" ({escaped('; '.join(tags))})" if tags else "")


def _number(row: Row, cell: Cell, best: float | None) -> str:
    if cell.value is None:
        return NONE if row.total_alone else "missing"
    return percent(cell.value) if row.kind == "chance" else _bold(percent(cell.value), cell, best)


def _bold(text: str, cell: Cell, best: float | None) -> str:
    return f"**{text}**" if best is not None and cell.value == best else text


def _sources(rows: Sequence[Row]) -> list[str]:
    """A line for each source; several systems of one source share it."""
    told: dict[str, list[str]] = {}
    for row in rows:
        told.setdefault(_source(row), []).append(escaped(row.label))
    return [f"- {'; '.join(names)}: {source}" for source, names in told.items()]


def _source(row: Row) -> str:
    reference = row.reference
    assert reference is not None
    address = f" <{reference.url}>" if reference.url else ""
    total = ""
    if reference.official_score is not None and reference.official_score_source:
        total = f" Total: {escaped(reference.official_score_source)}."
    card = f" Run it here: {code(f'asdbench run --system {reference.card}')}." if reference.card else ""
    return f"{escaped(reference.source).rstrip('.')}.{address}{total}{card}"
