"""The page of what boards are worth elsewhere: as Markdown and as HTML, for boards or tables of any names."""

from collections.abc import Sequence

from asdbench.leaderboard.board_page import MARKER, TEMPLATES
from asdbench.leaderboard.markdown_tables import aligned
from asdbench.leaderboard.text import NONE
from asdbench.leaderboard.transfer import ENOUGH_FAMILIES, Loss, Side, Transfer, correlation_text, loss_text
from asdbench.pages import asset, render_page, template
from asdbench.pages.markdown import escaped
from asdbench.protocols.rank_correlation import REPLICATES

TITLE = "What a board is worth elsewhere"
SLUG = "transfer"
NOTES = {
    "Correlation": "Spearman's rank correlation of the official scores of the systems that two boards share: 1 is the "
    "same order, 0 none, -1 the reverse. Kendall's tau-b beside it. Systems of equal results throughout are one.",
    "Interval": f"2.5 and 97.5 percentiles over {REPLICATES:,} sets of families drawn with replacement, each with all "
    "its systems, since variants of one system move together. A family is an extractor, or where the parts of a system "
    "are not known the first word of its name. Fewer than three families leave no interval; with fewer than "
    f"{ENOUGH_FAMILIES} it excludes 0 too often, so no verdict rests on it.",
    "Loss": "By how many points the winner of one board stays below the best on the other, among shared systems; in "
    "brackets what a system picked at random loses on the average.",
    "Pairs": "Of the pairs of systems that differ significantly on every board whose test clips are known "
    "(paired bootstrap; not for published rows), those of the same order on both boards.",
}


def transfer_pages(sides: Sequence[Side], found: Sequence[Transfer], *, at_home: bool = False) -> tuple[str, str]:
    """The page as Markdown, and as one HTML document that is whole in itself.

    Args:
        sides: all boards; those that share too few systems with any other are named as such.
        found: of their pairs; those in which systems were scored here come first, and Markdown tells of them alone.
        at_home: whether the pages lie among those of the boards.
    """
    alone = [side.title for side in sides if not any(side in (one.first, one.second) for one in found)]
    ours = [one for one in found if one.first.results or one.second.results]
    found = [*ours, *(one for one in found if one not in ours)]
    shown = [side for side in sides if side.title not in alone]
    content = {
        "marker": MARKER,
        "title": TITLE,
        "at_home": at_home,
        "sides": shown,
        "alone": alone,
        "found": found,
        "shown": ours or found,
        "of_pair": {(one.first.name, one.second.name): one for one in found},
        "notes": NOTES,
        "table": _table(found) if found else "No two boards share three systems.",
        "correlation_text": correlation_text,
        "escaped": escaped,
        "loss_text": loss_text,
        "pairs_text": pairs_text,
        "plot": plot,
    }
    html = render_page(
        f"{TITLE}: asdbench",
        template("transfer.html", TEMPLATES).render(content),
        styles=[asset(TEMPLATES, "transfer.css")],
        marker=MARKER,
    )
    return str(template("transfer.md", TEMPLATES).render(content)), html


def pairs_text(one: Transfer) -> str:
    """Pairs of the same order, "41 of 66"."""
    return NONE if one.agreement is None else f"{one.agreement.same} of {one.agreement.pairs}"


def plot(one: Transfer, size: int = 100) -> list[tuple[str, float, float]]:
    """Where each system stands in a square: from the left by the first board's score, from the top by the second's."""

    def places(side: int) -> list[float]:
        values = [pair[side] for pair in one.scores.values()]
        low, span = min(values), (max(values) - min(values)) or 1.0
        return [size * (value - low) / span for value in values]

    return [
        (f"{name}: {one.first.unit * pair[0]:.2f} and {one.second.unit * pair[1]:.2f}", x, size - y)
        for (name, pair), x, y in zip(one.scores.items(), places(0), places(1), strict=True)
    ]


def _table(found: Sequence[Transfer]) -> str:
    header = ["Boards", "Systems", "Spearman", "Kendall", "Loss there", "Loss here", "Pairs"]
    rows = [
        [
            f"{escaped(one.first.title)} → {escaped(one.second.title)}",
            f"{len(one.systems)} of {one.families} families",
            escaped(correlation_text(one.spearman)),
            escaped(correlation_text(one.kendall)),
            _loss(one.on_second, one.second),
            _loss(one.on_first, one.first),
            pairs_text(one),
        ]
        for one in found
    ]
    return aligned(header, rows, left=1)


def _loss(loss: Loss, side: Side) -> str:
    return f"{side.unit * loss.lost:.2f} ({side.unit * loss.at_random:.2f})"
