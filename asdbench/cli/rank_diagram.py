"""The critical-difference diagram in letters."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asdbench.protocols.average_ranks import AverageRanks

LEAST, MOST = 21, 61  # columns of the axis


def rank_diagram(result: "AverageRanks", width: int) -> str:
    """A line for each system, best first, with a mark at its average rank.

    To the right of the marks each group of systems that are not apart has a column of its own, and above the axis lies
    the critical difference to its scale, where it fits.

    Args:
        result: average ranks of the systems.
        width: columns of the terminal.
    """
    names = list(result.ranks)
    named = max(map(len, names))
    room = width - named - len(" 12.34  ") - 2 * len(result.groups) - 1
    steps = len(names) - 1
    per_rank = max(1, min(MOST - 1, max(room, LEAST) - 1) // steps)
    length = per_rank * steps + 1
    margin = " " * (named + len(" 12.34  "))
    distance = result.critical_difference * per_rank
    label = f"critical difference {result.critical_difference:.2f}"
    if distance > length - 1:
        ruler = f"{margin}{label}, more than the ranks can differ"
    else:
        line = "├" + "─" * max(round(distance) - 1, 0) + "┤"
        fits = len(label) + 2 <= len(margin)
        ruler = f"{label:<{len(margin)}}{line}" if fits else f"{margin}{line} {label}"
        if len(ruler) > width:
            ruler = f"{label}\n{margin}{line}"
    every = next(every for every in (1, 2, 5, 10, 20, 50, 100) if every * per_rank > len(str(len(names))))
    scale = [" "] * (length + 3)
    for rank in range(1, len(names) + 1, every):
        place = (rank - 1) * per_rank
        scale[place : place + len(str(rank))] = str(rank)
    lines = []
    for name in names:
        place = round((result.ranks[name] - 1) * per_rank)
        axis = "·" * place + "●" + "·" * (length - 1 - place)
        bars = "".join(" ┃" if name in group else "  " for group in result.groups)
        lines.append(f"{name:<{named}} {result.ranks[name]:5.2f}  {axis} {bars}".rstrip())
    return "\n".join([ruler, margin + "".join(scale).rstrip(), *lines])
