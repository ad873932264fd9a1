"""The index of all boards, as Markdown and as HTML."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asdbench.leaderboard.board_page import MARKER, TEMPLATES
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.markdown_tables import aligned
from asdbench.leaderboard.overall_ranks import overall_ranks
from asdbench.leaderboard.rows import Row, measured_row, published_row
from asdbench.leaderboard.table import Table
from asdbench.leaderboard.text import NONE, percent, title_of
from asdbench.leaderboard.verdict import Advice, advice_of
from asdbench.pages import asset, render_page, template
from asdbench.pages.markdown import code, escaped
from asdbench.protocols.average_ranks import AverageRanks

INTRODUCTION = """\
Official scores of DCASE Task 2 with intervals, and published results with their sources. Each board is also
an HTML page to sort and to filter, with intervals drawn: [index.html](index.html)."""
QUESTION = "What should I use for a new machine, without a GPU?"
RATE = (
    "Boards rank by areas under curves over all clips, and a detector works at one rate of false alarms, where another "
    "system may find more: so the documentation begins with raw-mel + mahalanobis-lw"
)
ELSEWHERE = "\nWhether the order on one board is the order on another: [transfer.md](transfer.md)."


@dataclass(frozen=True)
class Overview:
    """What the index tells of all boards."""

    lines: Sequence["Line"]  # of each board, in the order of the page
    advice: Sequence[Advice] = ()  # what to use, by the size of one's data
    ranks: AverageRanks | None = None  # average ranks over several boards; None where they tell nothing
    transfers: bool = False  # whether there is a page of what boards are worth elsewhere
    documented: bool = False  # whether the documentation lies beside the boards


@dataclass(frozen=True)
class Line:
    """One board on the index, with its best rows."""

    board: Board
    systems: int
    measured: Row | None
    submitted: Row | None
    published: Row | None

    @property
    def best(self) -> dict[str, Row | None]:
        """The best row of each kind that the board has, by what the page calls the kind; of none, one empty line."""
        kinds = {"measured here": self.measured, "submitted": self.submitted, "published": self.published}
        return {kind: row for kind, row in kinds.items() if row} or {NONE: None}


def index_line(board: Board) -> Line:
    """What the index says of a board; needs no resampling."""
    rows = [measured_row(board, system) for system in board.systems]
    measured, submitted = ([row for row in rows if row.kind == kind] for kind in ("measured", "submitted"))
    published = [published_row(board, reference) for reference in board.references.values()]
    best = _best([row for row in measured if not row.partial]) or _best(measured)
    return Line(board, len(rows) + len(published), best, _best(submitted), _best(published))


def overview(
    boards: Iterable[Board], tables: Mapping[str, Table], *, transfers: bool, documented: bool = False
) -> Overview:
    """All that the index tells; the tables are of every board that could be made."""
    lines = in_order([index_line(board) for board in boards])
    return Overview(lines, advice_of(tables), overall_ranks(tables), transfers, documented)


def index_markdown(told: Overview) -> str:
    """The index for GitHub and terminals."""
    header = ["Board", "Best system", "Its result", "%"]
    rows = []
    for line in told.lines:
        title = f"[{escaped(title_of(line.board))}]({line.board.slug}.md)"
        for kind, row in line.best.items():
            mark = f" ({escaped(remark(row))})" if row and remark(row) else ""
            rows.append([title, *([escaped(row.label) + mark, kind, percent(row.score.value)] if row else [NONE] * 3)])
            title = ""
    none = "No board yet: `asdbench leaderboard add RUN` puts a run on one."
    content = {**_content(told), "table": aligned(header, rows, left=3) if rows else none, "introduction": INTRODUCTION}
    content |= {"elsewhere": ELSEWHERE if told.transfers else "", "escaped": escaped, "code": code}
    if told.ranks is not None:
        best = next(iter(told.ranks.ranks))
        ranked = [
            [escaped(name), f"{rank:.2f}", "yes" if told.ranks.apart(best, name) else "no" if name != best else NONE]
            for name, rank in told.ranks.ranks.items()
        ]
        content["rank_table"] = aligned(["System", "Average rank", "Worse than the first"], ranked, left=1)
    return str(template("index.md", TEMPLATES).render(content))


def index_html(told: Overview) -> str:
    """The index as a page."""
    body = template("index.html", TEMPLATES).render(_content(told))
    return render_page(
        "asdbench leaderboards",
        body,
        styles=[asset(TEMPLATES, "index.css"), asset(TEMPLATES, "ranks.css")],
        scripts=[asset(TEMPLATES, "index.js")],
        marker=MARKER,
    )


def _content(told: Overview) -> dict[str, Any]:
    return {
        "told": told,
        "question": QUESTION,
        "rate": RATE,
        "marker": MARKER,
        "title_of": title_of,
        "remark": remark,
        "percent": percent,
        "ranks": told.ranks,
        "rank_sentence": rank_sentence(told.ranks) if told.ranks else "",
        "boards_of_ranks": [line.board for line in told.lines if told.ranks and line.board.name in _boards(told.ranks)],
    }


def _boards(ranks: AverageRanks) -> set[str]:
    return {board for board, _ in ranks.blocks}


def rank_sentence(ranks: AverageRanks) -> str:
    """What the Friedman and Nemenyi tests say over several boards."""
    best, *others = ranks.ranks
    alike = sum(not ranks.apart(best, other) for other in others)
    p = f"p = {ranks.friedman_p:.3f}" if ranks.friedman_p >= 0.001 else "p < 0.001"
    return (
        f"{len(ranks.ranks)} systems on {len(ranks.blocks)} machine types of {len(_boards(ranks))} boards; each type "
        f"ranks them, 1 is best. Friedman test: {p}. Average ranks {ranks.critical_difference:.2f} or more apart "
        f"(critical difference, Nemenyi test at {ranks.alpha:g}) differ significantly: {best} from "
        f"{len(others) - alike} of the {len(others)} others."
    )


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
