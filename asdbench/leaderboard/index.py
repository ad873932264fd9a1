"""The index of all boards, as Markdown and as HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asdbench.leaderboard.average_ranks import boards_of, overall_ranks, overall_sentence
from asdbench.leaderboard.board_page import MARKER, TEMPLATES
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.markdown_tables import aligned
from asdbench.leaderboard.rows import Row
from asdbench.leaderboard.table import Table
from asdbench.leaderboard.text import NONE, percent, title_of
from asdbench.leaderboard.verdict import Advice, advice_of
from asdbench.pages import asset, render_page, template
from asdbench.pages.markdown import code, escaped
from asdbench.protocols.average_ranks import AverageRanks

QUESTION = "What should I use for a new machine, without a GPU?"
RATE = (
    "Boards rank by areas under curves over all clips, and a detector works at one rate of false alarms, where another "
    "system may find more: so the documentation begins with raw-mel + mahalanobis-lw"
)


@dataclass(frozen=True)
class Line:
    """One board on the index."""

    board: Board
    systems: int
    best: Mapping[str, Row | None]  # by what the page calls their kind; of a board without scores one empty line


@dataclass(frozen=True)
class Overview:
    """What the index says of all boards."""

    lines: Sequence[Line]  # of each board, in the order of the page
    advice: Sequence[Advice] = ()  # what to use, by the size of one's data
    ranks: AverageRanks | None = None  # average ranks over several boards; None where they say nothing
    transfers: bool = False  # whether there is a page of what boards are worth elsewhere
    documented: bool = False  # whether the documentation lies beside the boards


def overview(tables: Mapping[str, Table], *, transfers: bool, documented: bool = False) -> Overview:
    """All that the index says; the tables are of every board that could be made."""
    newest = sorted(tables.values(), key=lambda table: table.board.protocol, reverse=True)
    lines = [index_line(table) for table in sorted(newest, key=lambda table: not table.of("measured"))]
    return Overview(lines, advice_of(tables), overall_ranks(tables), transfers, documented)


def index_line(table: Table) -> Line:
    """The best row of each kind: of whole data first, then by score and name."""
    best: dict[str, Row | None] = {}
    for kind, shown in (("measured", "measured here"), ("submitted", "submitted"), ("published", "published")):
        rows = [row for row in table.of(kind) if row.score.value is not None]
        if rows:
            best[shown] = min(rows, key=lambda row: (bool(row.partial), -(row.score.value or 0.0), row.label))
    systems = sum(1 + len(row.same) for row in table.of("measured", "submitted", "published"))
    return Line(table.board, systems, best or {NONE: None})


def index_markdown(overview: Overview) -> str:
    """The index for GitHub and terminals."""
    header = ["Board", "Best system", "Its result", "%"]
    rows = []
    for line in overview.lines:
        title = f"[{escaped(title_of(line.board))}]({line.board.slug}.md)"
        for kind, row in line.best.items():
            mark = f" ({escaped(remark(row))})" if row and remark(row) else ""
            rows.append([title, *([escaped(row.label) + mark, kind, percent(row.score.value)] if row else [NONE] * 3)])
            title = ""
    ranked = []
    if overview.ranks is not None:
        first, *_ = overview.ranks.ranks
        for name, rank in overview.ranks.ranks.items():
            worse = NONE if name == first else "yes" if overview.ranks.apart(first, name) else "no"
            ranked.append([escaped(name), f"{rank:.2f}", worse])
    content = {
        **_content(overview),
        "table": aligned(header, rows, left=3) if rows else "",
        "rank_table": aligned(["System", "Average rank", "Worse than the first"], ranked, left=1) if ranked else "",
        "escaped": escaped,
        "code": code,
    }
    return str(template("index.md", TEMPLATES).render(content))


def index_html(overview: Overview) -> str:
    """The index as a page."""
    return render_page(
        "asdbench leaderboards",
        template("index.html", TEMPLATES).render(_content(overview)),
        styles=[asset(TEMPLATES, "index.css"), asset(TEMPLATES, "ranks.css")],
        scripts=[asset(TEMPLATES, "index.js")],
        marker=MARKER,
    )


def _content(overview: Overview) -> dict[str, Any]:
    ranks = overview.ranks
    return {
        "overview": overview,
        "question": QUESTION,
        "rate": RATE,
        "marker": MARKER,
        "title_of": title_of,
        "remark": remark,
        "percent": percent,
        "ranks": ranks,
        "rank_sentence": overall_sentence(ranks) if ranks else "",
        "boards_of_ranks": [line.board for line in overview.lines if ranks and line.board.name in boards_of(ranks)],
    }


def remark(row: Row) -> str:
    """What is not plain about a row's score."""
    return "; ".join(filter(None, [row.score.reason, row.mark]))
