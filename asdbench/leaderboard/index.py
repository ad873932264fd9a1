"""The index of all boards, as Markdown and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from asdbench.leaderboard.board_page import MARKER, TEMPLATES, aligned
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.rows import Row, measured_row, published_row
from asdbench.leaderboard.text import NONE, percent, title_of
from asdbench.pages import asset, render_page, template
from asdbench.pages.markdown import escaped

INTRODUCTION = """\
Official scores of DCASE Task 2 with intervals, and published results with their sources. Each board is also
an HTML page to sort and to filter, with intervals drawn: [index.html](index.html)."""


@dataclass(frozen=True)
class Best:
    """The row with the highest score. ``mark`` says what is not plain about it."""

    name: str
    score: str
    mark: str


@dataclass(frozen=True)
class Line:
    """One board on the index."""

    slug: str
    title: str
    protocol: str
    machines: int
    systems: int
    measured: Best | None
    published: Best | None


def index_line(board: Board) -> Line:
    """What the index says of a board; needs no resampling."""
    measured = [measured_row(board, system) for system in board.systems]
    published = [published_row(board, reference) for reference in board.references.values()]
    return Line(
        slug=board.slug,
        title=title_of(board),
        protocol=board.protocol,
        machines=len(board.machines),
        systems=len(measured) + len(published),
        measured=_best([row for row in measured if not row.partial]) or _best(measured),
        published=_best(published),
    )


def index_markdown(lines: Sequence[Line]) -> str:
    """The index for GitHub and terminals."""
    header = ["Board", "Best measured here", "Score, %", "Best published", "Score, %", "Systems", "Protocol"]
    rows = []
    for line in lines:
        cells = [f"[{escaped(line.title)}]({line.slug}.md)"]
        for best in (line.measured, line.published):
            mark = f" ({escaped(best.mark)})" if best and best.mark else ""
            cells += [escaped(best.name) + mark, best.score] if best else [NONE, NONE]
        rows.append([*cells, str(line.systems), escaped(line.protocol)])
    table = aligned(header, rows) if rows else "No board yet: `asdbench leaderboard add RUN` puts a run on one."
    return f"<!-- {MARKER} -->\n\n# Leaderboards\n\n{INTRODUCTION}\n\n{table}\n"


def index_html(lines: Sequence[Line]) -> str:
    """The index as a page."""
    body = template("index.html", TEMPLATES).render(boards=lines)
    return render_page("asdbench leaderboards", body, styles=[asset(TEMPLATES, "index.css")], marker=MARKER)


def _best(rows: Sequence[Row]) -> Best | None:
    scored = [(row.score.value, row) for row in rows if row.score.value is not None]
    if not scored:
        return None
    value, row = min(scored, key=lambda pair: (-pair[0], pair[1].label))
    return Best(row.label, percent(value), "; ".join(filter(None, [row.score.reason, row.mark])))
