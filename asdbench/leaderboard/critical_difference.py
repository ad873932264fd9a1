"""The critical-difference diagram: average ranks on a line, a bar over every set of systems that are not apart.

J. Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006, figure 1. That of
scikit-posthocs cuts long names off, and its bytes depend on the hash seed of the process.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.files import whole_file
from asdbench.pages.figures import BLUE, INK, MUTED, drawing_style, new_figure
from asdbench.protocols.average_ranks import AverageRanks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# In pixels.
LABEL_SIZE = 11.5
EDGE = 8.0  # free at every side
GAP = 8.0  # between a label and its line, and between the lines' ends and the axis
RULER_TOP, AXIS_TOP = 24.0, 66.0
BAR_STEP, ROW_STEP = 9.0, 20.0
TICK_STEP, LEAST_AXIS = 34.0, 300.0
OVERHANG = 4.0  # of a bar beyond the ranks that it covers


def save_critical_difference(result: AverageRanks, path: Path) -> None:
    """Write the diagram to a file, whole; its ending decides the form. The same ranks give the same bytes."""
    form = path.suffix.lower().removeprefix(".")
    undated: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    figure = draw_critical_difference(result)
    with drawing_style(), whole_file(path.expanduser()) as file:
        figure.savefig(file, format=form, dpi=200, facecolor="white", metadata=undated.get(form))


def draw_critical_difference(result: AverageRanks) -> "Figure":
    """Draw average ranks as a figure of matplotlib, 1/72 inch for each pixel of a page.

    The better half of the systems is named at the left, the other at the right, each with its average rank. The
    figure is as wide as the names need, so labels never meet. Give it to ``asdbench.pages.figures.figure_svg`` for a
    page, or save it within ``drawing_style()``.
    """
    with drawing_style():
        names = list(result.ranks)
        labels = {name: f"{name}  {result.ranks[name]:.2f}" for name in names}
        half = (len(names) + 1) // 2
        left_names, right_names = names[:half], names[half:][::-1]  # the outermost first
        left = EDGE + max(_width(labels[name]) for name in left_names) + 2 * GAP
        right = left + max(LEAST_AXIS, TICK_STEP * (len(names) - 1))
        rows = bar_rows(result)
        top = AXIS_TOP + BAR_STEP * (1 + max(rows, default=0)) + 1.2 * ROW_STEP  # of the first label
        width = right + 2 * GAP + max(_width(labels[name]) for name in right_names) + EDGE
        height = top + ROW_STEP * (half - 1) + 2 * EDGE
        figure = new_figure(width, height, arranged=False)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0.0, width), ylim=(height, 0.0))
        axes.set_axis_off()

        def x_of(rank: float) -> float:
            return left + (rank - 1) / (len(names) - 1) * (right - left)

        _line(axes, (left, right), (AXIS_TOP, AXIS_TOP), INK, 1.2)
        for rank in range(1, len(names) + 1):
            _line(axes, (x_of(rank), x_of(rank)), (AXIS_TOP - 6, AXIS_TOP), INK, 1.2)
            _text(axes, x_of(rank), AXIS_TOP - 9, str(rank), "center", va="bottom", size=LABEL_SIZE - 1)
        _draw_ruler(axes, result.critical_difference, left, x_of(1 + result.critical_difference), right)
        for group, row in zip(result.groups, rows, strict=True):
            y = AXIS_TOP + BAR_STEP * (row + 1)
            first, last = x_of(result.ranks[group[0]]), x_of(result.ranks[group[-1]])
            _line(axes, (first - OVERHANG, last + OVERHANG), (y, y), BLUE, 4.0)
        for side, end, outwards, align in ((left_names, left, -GAP, "right"), (right_names, right, GAP, "left")):
            for row, name in enumerate(side):
                x, y = x_of(result.ranks[name]), top + ROW_STEP * row
                _line(axes, (x, x, end + outwards), (AXIS_TOP, y, y), MUTED, 1.0)
                _text(axes, end + 1.5 * outwards, y, labels[name], align, va="center", size=LABEL_SIZE)
    return figure


def bar_rows(result: AverageRanks) -> list[int]:
    """The row of each group's bar, so that bars that overlap lie in different rows."""
    ends: list[float] = []  # where the last bar of each row ends
    rows = []
    margin = 0.05 * len(result.ranks)
    for group in result.groups:
        start, end = result.ranks[group[0]], result.ranks[group[-1]]
        row = next((row for row, last in enumerate(ends) if start > last + margin), len(ends))
        ends[row : row + 1] = [end]
        rows.append(row)
    return rows


def _draw_ruler(axes: "Axes", critical_difference: float, left: float, end: float, right: float) -> None:
    """The critical difference, to the axis's scale; where it is wider than the axis, its value alone."""
    text, x, align = f"CD {critical_difference:.2f}", left, "left"
    if end > right:
        text += ", more than the ranks can differ"
    else:
        _line(axes, (left, end), (RULER_TOP, RULER_TOP), INK, 1.2)
        for tick in (left, end):
            _line(axes, (tick, tick), (RULER_TOP - 4, RULER_TOP + 4), INK, 1.2)
        if end - left > _width(text):
            x, align = (left + end) / 2, "center"
    _text(axes, x, RULER_TOP - 6, text, align, va="bottom", size=LABEL_SIZE - 1)


def _line(axes: "Axes", xs: Sequence[float], ys: Sequence[float], colour: str, width: float) -> None:
    """A line of straight pieces; thick ones lie above."""
    axes.plot(xs, ys, color=colour, linewidth=width, solid_capstyle="butt", clip_on=False, zorder=2 + width)


def _text(axes: "Axes", x: float, y: float, text: str, align: str, va: str, size: float) -> None:
    axes.text(x, y, text, ha=align, va=va, size=size, color=INK)


def _width(text: str) -> float:
    """In pixels, with something to spare: whoever shows the figure rounds letters to dots, or has another font."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        path = TextPath((0, 0), text, prop=FontProperties(family="DejaVu Sans", size=LABEL_SIZE))
    return 1.08 * float(path.get_extents().width)
