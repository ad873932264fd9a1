"""The critical-difference diagram: average ranks on a line, a bar over every set of systems that are not apart.

J. Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006, figure 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.files import whole_file
from asdbench.pages.figures import BLUE, INK, MUTED, drawing_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from asdbench.protocols.average_ranks import AverageRanks

LABEL_SIZE = 11.5
EDGE = 8.0  # free pixels at every side
GAP = 8.0  # between a label and its line, and between the lines' ends and the axis
RULER_TOP, AXIS_TOP = 24.0, 66.0
BAR_STEP, ROW_STEP = 9.0, 20.0
TICK_STEP, LEAST_AXIS = 34.0, 300.0
OVERHANG = 4.0  # of a bar beyond the ranks that it covers


@dataclass(frozen=True)
class Canvas:
    """Where things go, in pixels from the top left corner."""

    axes: "Axes"
    left: float
    length: float
    systems: int

    def place(self, rank: float) -> float:
        """Of a rank on the axis; 1, the best, is at the left."""
        return self.left + (rank - 1) / (self.systems - 1) * self.length

    def line(self, xs: Sequence[float], ys: Sequence[float], colour: str, width: float) -> None:
        """A line of straight pieces; thick ones lie above."""
        self.axes.plot(xs, ys, color=colour, linewidth=width, solid_capstyle="butt", clip_on=False, zorder=2 + width)


def draw_critical_difference(result: "AverageRanks") -> "Figure":
    """Draw average ranks as a figure of matplotlib, 1/72 inch for each pixel of a page.

    The better half of the systems is named at the left, the other at the right, each with its average rank. The
    figure is as wide as the names want, so labels never meet. Give it to ``asdbench.pages.figures.figure_svg`` for a
    page, or save it within ``drawing_style()``.
    """
    with drawing_style():
        names = list(result.ranks)
        labels = {name: f"{name}  {result.ranks[name]:.2f}" for name in names}
        half = (len(names) + 1) // 2
        sides = names[:half], names[half:][::-1]  # the outermost first
        margins = [EDGE + max(_width(labels[name]) for name in side) + 2 * GAP for side in sides]
        length = max(LEAST_AXIS, TICK_STEP * (len(names) - 1))
        rows = bar_rows(result)
        first = AXIS_TOP + BAR_STEP * (1 + max(rows, default=0)) + 1.2 * ROW_STEP
        width, height = sum(margins) + length, first + ROW_STEP * (half - 1) + 2 * EDGE
        figure = new_figure(width, height)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0.0, width), ylim=(height, 0.0))
        axes.set_axis_off()
        canvas = Canvas(axes, margins[0], length, len(names))
        _draw_axis(canvas)
        _draw_ruler(canvas, result)
        for group, row in zip(result.groups, rows, strict=True):
            level = AXIS_TOP + BAR_STEP * (row + 1)
            ends = [canvas.place(result.ranks[name]) for name in (group[0], group[-1])]
            canvas.line((ends[0] - OVERHANG, ends[1] + OVERHANG), (level, level), BLUE, 4.0)
        for side, towards in zip(sides, (-1, 1), strict=True):
            end = canvas.left - GAP if towards < 0 else canvas.left + length + GAP
            for row, name in enumerate(side):
                level, place = first + ROW_STEP * row, canvas.place(result.ranks[name])
                canvas.line((place, place, end), (AXIS_TOP, level, level), MUTED, 1.0)
                align = "right" if towards < 0 else "left"
                axes.text(
                    end + towards * GAP / 2, level, labels[name], ha=align, va="center", size=LABEL_SIZE, color=INK
                )
    return figure


def save_critical_difference(result: "AverageRanks", path: Path) -> None:
    """Write the diagram to a file, whole; its ending decides the form. The same ranks give the same bytes."""
    form = path.suffix.lower().removeprefix(".")
    undated: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    figure = draw_critical_difference(result)
    with drawing_style(), whole_file(path.expanduser()) as file:
        figure.savefig(file, format=form, dpi=200, facecolor="white", metadata=undated.get(form))


def bar_rows(result: "AverageRanks") -> list[int]:
    """The row of each group's bar, so that bars that overlap lie in different rows."""
    ends: list[float] = []  # where the last bar of each row ends
    rows = []
    for group in result.groups:
        start, end = result.ranks[group[0]], result.ranks[group[-1]]
        margin = 0.05 * len(result.ranks)
        row = next((row for row, last in enumerate(ends) if start > last + margin), len(ends))
        ends[row : row + 1] = [end]
        rows.append(row)
    return rows


def _draw_axis(canvas: Canvas) -> None:
    canvas.line((canvas.left, canvas.left + canvas.length), (AXIS_TOP, AXIS_TOP), INK, 1.2)
    for rank in range(1, canvas.systems + 1):
        place = canvas.place(rank)
        canvas.line((place, place), (AXIS_TOP - 6, AXIS_TOP), INK, 1.2)
        canvas.axes.text(place, AXIS_TOP - 9, str(rank), ha="center", va="bottom", size=LABEL_SIZE - 1, color=INK)


def _draw_ruler(canvas: Canvas, result: "AverageRanks") -> None:
    """The critical difference, to the axis's scale; where it is wider than the axis, its value alone."""
    text = f"CD {result.critical_difference:.2f}"
    width = result.critical_difference / (canvas.systems - 1) * canvas.length
    place = canvas.left
    if width <= canvas.length:
        canvas.line((place, place + width), (RULER_TOP, RULER_TOP), INK, 1.2)
        for end in (place, place + width):
            canvas.line((end, end), (RULER_TOP - 4, RULER_TOP + 4), INK, 1.2)
        place += width / 2
    else:
        text += ", more than the ranks can differ"
    align = "center" if width <= canvas.length and width > _width(text) else "left"
    canvas.axes.text(
        place if align == "center" else canvas.left, RULER_TOP - 6, text, ha=align, va="bottom", size=LABEL_SIZE - 1
    )


def _width(text: str) -> float:
    """In pixels, with something to spare: whoever shows the figure rounds letters to dots, or has another font."""
    import warnings

    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        path = TextPath((0, 0), text, prop=FontProperties(family="DejaVu Sans", size=LABEL_SIZE))
    return 1.08 * float(path.get_extents().width)
