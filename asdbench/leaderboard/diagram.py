"""The critical-difference diagram of a board's ranked systems."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asdbench.leaderboard.rows import Table
from asdbench.protocols.average_ranks import LEAST_SYSTEMS, AverageRanks, average_ranks

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class Diagram:
    """A picture, and what it says in words."""

    svg: "Markup"
    sentence: str


def ranks_of(table: Table) -> AverageRanks | None:
    """Average ranks of the ranked systems over machine types; None with fewer than three of them."""
    ranked = [row for row in table.rows if row.rank is not None]
    if len(ranked) < LEAST_SYSTEMS:
        return None
    name = table.board.name
    return average_ranks(
        {
            row.label: {(name, machine): cell.value for machine, cell in row.machines.items() if cell.value is not None}
            for row in ranked
        }
    )


def diagram_of(table: Table) -> Diagram | None:
    """The diagram for a page; None with fewer than three ranked systems."""
    from asdbench.leaderboard.critical_difference import draw_critical_difference
    from asdbench.pages.figures import figure_svg

    ranks = ranks_of(table)
    if ranks is None:
        return None
    figure = draw_critical_difference(ranks)
    return Diagram(
        figure_svg(figure, "Critical-difference diagram: average ranks over machine types"), sentence_of(ranks)
    )


def sentence_of(ranks: AverageRanks) -> str:
    """What the Friedman and Nemenyi tests say, in words."""
    p = f"p = {ranks.friedman_p:.3f}" if ranks.friedman_p >= 0.001 else "p < 0.001"
    differ = "the systems differ" if ranks.friedman_p < ranks.alpha else "no difference between the systems is shown"
    text = (
        f"Each machine type ranks the systems; 1 is best. Friedman test: {p}, so {differ} at the level "
        f"{ranks.alpha:g}. Average ranks that lie {ranks.critical_difference:.2f} or more apart (CD, Nemenyi test) "
        "differ significantly; "
        "a bar joins systems that do not. The test sees ranks alone, so it tells fewer systems apart than the paired "
        "bootstrap behind the table's ranks, and it speaks of machine types in general, not of these test clips."
    )
    return f"{text} {ranks.caution}" if ranks.caution else text
