"""The index of all boards, as Markdown and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from asdbench.leaderboard.board_page import MARKER, TEMPLATES
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.markdown_tables import aligned
from asdbench.leaderboard.rows import Row, measured_row, published_row
from asdbench.leaderboard.text import NONE, percent, title_of
from asdbench.pages import asset, render_page, template
from asdbench.pages.markdown import escaped

INTRODUCTION = """\
Official scores of DCASE Task 2 with intervals, and published results with their sources. Each board is also
an HTML page to sort and to filter, with intervals drawn: [index.html](index.html)."""
ELSEWHERE = "\nWhether the order on one board is the order on another: [transfer.md](transfer.md)."


@dataclass(frozen=True)
class Line:
    """One board on the index, with its best rows."""

    board: Board
    systems: int
    measured: Row | None
    submitted: Row | None
    published: Row | None


def index_line(board: Board) -> Line:
    """What the index says of a board; needs no resampling."""
    rows = [measured_row(board, system) for system in board.systems]
    measured, submitted = ([row for row in rows if row.kind == kind] for kind in ("measured", "submitted"))
    published = [published_row(board, reference) for reference in board.references.values()]
    best = _best([row for row in measured if not row.partial]) or _best(measured)
    return Line(board, len(rows) + len(published), best, _best(submitted), _best(published))


def index_markdown(lines: Sequence[Line], transfers: bool = False) -> str:
    """The index for GitHub and terminals; ``transfers``: whether there is a page of them."""
    lines = in_order(lines)
    header = ["Board", "Best measured here", "%", "Best submitted", "%", "Best published", "%"]
    rows = []
    for line in lines:
        cells = [f"[{escaped(title_of(line.board))}]({line.board.slug}.md)"]
        for row in (line.measured, line.submitted, line.published):
            mark = f" ({escaped(remark(row))})" if row and remark(row) else ""
            cells += [escaped(row.label) + mark, percent(row.score.value)] if row else [NONE, NONE]
        rows.append(cells)
    table = aligned(header, rows) if rows else "No board yet: `asdbench leaderboard add RUN` puts a run on one."
    return f"<!-- {MARKER} -->\n\n# Leaderboards\n\n{INTRODUCTION}{ELSEWHERE if transfers else ''}\n\n{table}\n"


def index_html(lines: Sequence[Line], transfers: bool = False) -> str:
    """The index as a page."""
    lines = in_order(lines)
    body = template("index.html", TEMPLATES).render(
        lines=lines, transfers=transfers, title_of=title_of, remark=remark, percent=percent
    )
    return render_page("asdbench leaderboards", body, styles=[asset(TEMPLATES, "index.css")], marker=MARKER)


def in_order(lines: Sequence[Line]) -> list[Line]:
    """Boards with systems that were measured here first, then the challenges, the newest first."""
    newest = sorted(lines, key=lambda line: line.board.protocol, reverse=True)
    return sorted(newest, key=lambda line: line.measured is None)


def remark(row: Row) -> str:
    """What is not plain about a row's score."""
    return "; ".join(filter(None, [row.score.reason, row.mark]))


def _best(rows: Sequence[Row]) -> Row | None:
    scored = [(-row.score.value, row.label, row) for row in rows if row.score.value is not None]
    return min(scored, key=lambda one: one[:2])[-1] if scored else None
