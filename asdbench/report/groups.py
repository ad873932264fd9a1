"""Numbers of several groups of clips, one row for each group: every clip a dot, or a histogram where they are many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asdbench.pages.figures import BLUE, INK, LINE, MUTED, ORANGE, drawing_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS = 60  # clips of a group that are still told apart as dots
BINS = 30
ROW_PX = 68
CAPTION = 0.32  # of a row's height, above its dots: nothing else is drawn there
DOMAIN_COLOURS = {"source": BLUE, "target": ORANGE, "": INK}
_LANES = (0.0, 0.1, -0.1, 0.2, -0.2)  # where dots stand that would cover each other


@dataclass(frozen=True)
class Group:
    """Clips that stand in one row.

    Attributes:
        name: of the row, "source, normal"; stands above it.
        domain: decides the colour.
        anomalous: decides the marker; None for clips of which nobody tells.
        values: of the clips.
        remark: behind the name, "3 of 10 false alarms".
        wrong: which side of the limit is the wrong one; None where neither is.
    """

    name: str
    domain: str
    anomalous: bool | None
    values: NDArray[np.floating[Any]]
    remark: str = ""
    wrong: str | None = None


def draw_groups(groups: Sequence[Group], limit: float | None, label: str, width_px: int = 340) -> "Figure":
    """One row for each group on a common axis, with a line at ``limit``; clips on its wrong side stand out.

    Captions stand in a band of their own above each row, which the line at ``limit`` leaves out; ``width_px`` is that
    of a phone's page, so that they are as large there as elsewhere. The axis is logarithmic where the values are
    positive and their largest lies far beyond most.
    """
    values = np.concatenate([group.values for group in groups]).astype(np.float64)
    low, high = _range(values, limit)
    logarithmic = bool(low > 0 and high > 25 * float(np.median(values)))
    with drawing_style():
        figure = new_figure(width_px, 60 + ROW_PX * len(groups))
        axes = figure.add_subplot()
        if logarithmic:
            axes.set_xscale("log")
            low, high = low / 1.15, high * 1.15
        else:
            low, high = low - 0.03 * (high - low), high + 0.03 * (high - low)
        axes.set_xlim(low, high)
        axes.set_ylim(len(groups) - 0.45, -0.8 if limit is not None else -0.5)
        if limit is not None:
            share = float(_share(np.array([limit]), low, high, logarithmic)[0])
            axes.annotate(
                f"threshold {limit:.4g}",
                (limit, -0.76),
                ha="left" if share < 0.25 else "right" if share > 0.75 else "center",
                va="top",
                fontsize=11,
            ).set_in_layout(False)  # within the axes as it is
        edges = _edges(low, high, limit, logarithmic)
        dots = max(len(group.values) for group in groups) <= DOTS
        tallest = max(int(np.histogram(group.values, edges)[0].max()) for group in groups)
        for row, group in enumerate(groups):
            if limit is not None:
                _draw_limit(axes, limit, high, row)
            if dots:
                _draw_dots(axes, group, row, limit, logarithmic, width_px)
            else:
                _draw_histogram(axes, group, row, limit, edges, tallest)
            place = row - 0.5 + CAPTION / 2
            for text, share, align, colour in ((group.name, 0, "left", INK), (group.remark, 1, "right", MUTED)):
                axes.annotate(
                    text,
                    (share, place),
                    xycoords=("axes fraction", "data"),
                    ha=align,
                    va="center",
                    fontsize=12,
                    color=colour,
                ).set_in_layout(False)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(label + (", logarithmic" if logarithmic else ""))
        tidy_numbers(axes, logarithmic)
    return figure


def _draw_limit(axes: "Axes", limit: float, high: float, row: int) -> None:
    """The line and what lies beyond it, below the caption of one row."""
    top, bottom = row - 0.5 + CAPTION, row + 0.45
    axes.fill_between([limit, high], top, bottom, color=LINE, alpha=0.5, linewidth=0)
    axes.plot([limit, limit], [top, bottom], color=INK, linewidth=1.2)


def tidy_numbers(axes: "Axes", logarithmic: bool, which: str = "x") -> None:
    """Few numbers on an axis, written plainly: 0.001 and not a power of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    if not logarithmic:
        axis.set_major_locator(MaxNLocator(5))
        return
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    narrow = high / low < 30
    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if narrow else (1.0,), numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _range(values: NDArray[np.float64], limit: float | None) -> tuple[float, float]:
    ends = [float(values.min()), float(values.max()), *([] if limit is None else [limit])]
    low, high = min(ends), max(ends)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # constant scores
        margin = 0.05 * abs(high) or 0.5
        return low - margin, high + margin
    return low, high


def _share(values: NDArray[Any], low: float, high: float, logarithmic: bool) -> NDArray[np.float64]:
    """How far along the axis values lie, from 0 to 1."""
    if logarithmic:
        values, low, high = np.log(values), float(np.log(low)), float(np.log(high))
    return np.asarray((values - low) / (high - low), np.float64)


def _edges(low: float, high: float, limit: float | None, logarithmic: bool) -> NDArray[np.float64]:
    """Edges of the bins, equal in width on the axis; one of them is the limit, so that no bar lies on both sides."""
    if logarithmic:
        return np.exp(_edges(np.log(low), np.log(high), None if limit is None else np.log(limit), False))
    width = (high - low) / BINS
    first = low if limit is None else limit - width * np.ceil((limit - low) / width)
    return np.asarray(first + width * np.arange(BINS + 2), np.float64)


def _is_wrong(group: Group, values: NDArray[Any], limit: float | None) -> NDArray[np.bool_]:
    if limit is None or group.wrong is None:
        return np.zeros(len(values), bool)
    return np.asarray(values > limit if group.wrong == "above" else values <= limit)


def _draw_dots(axes: "Axes", group: Group, row: int, limit: float | None, logarithmic: bool, width_px: int) -> None:
    ordered = np.sort(group.values)
    low, high = axes.get_xlim()
    places = _share(ordered, low, high, logarithmic) * width_px
    lanes: list[float] = []
    ends = [-np.inf] * len(_LANES)
    for place in places:
        lane = next((lane for lane, end in enumerate(ends) if place - end >= 7), int(np.argmin(ends)))
        ends[lane] = place
        lanes.append(row + 0.14 + _LANES[lane])
    colour = DOMAIN_COLOURS.get(group.domain, INK)
    wrong = _is_wrong(group, ordered, limit)
    heights = np.array(lanes)
    for chosen, alpha in ((~wrong, 0.5), (wrong, 1.0)):
        if not chosen.any():
            continue  # a line without dots would take its place in the layout
        axes.plot(
            ordered[chosen],
            heights[chosen],
            linestyle="none",
            marker="D" if group.anomalous else "o",
            markersize=5.2 if group.anomalous else 5.8,
            markerfacecolor=colour if group.anomalous else "none",
            markeredgecolor=colour,
            markeredgewidth=1.3,
            alpha=alpha if group.wrong else 0.8,
            clip_on=False,
        )


def _draw_histogram(
    axes: "Axes", group: Group, row: int, limit: float | None, edges: NDArray[np.float64], tallest: int
) -> None:
    wrong = _is_wrong(group, group.values, limit)
    colour = DOMAIN_COLOURS.get(group.domain, INK)
    scale, floor = (0.9 - CAPTION) / tallest, row + 0.45
    bottom = np.full(len(edges) - 1, floor)
    for chosen, alpha in ((~wrong, 0.5), (wrong, 1.0)):
        counts = np.histogram(group.values[chosen], edges)[0] * scale
        axes.bar(
            edges[:-1][counts > 0],
            -counts[counts > 0],
            np.diff(edges)[counts > 0],
            bottom=bottom[counts > 0],
            align="edge",
            facecolor=colour if group.anomalous else "none",
            edgecolor=colour,
            linewidth=1.0,
            alpha=alpha if group.wrong else 0.8,
        )
        bottom = bottom - counts
    axes.axhline(floor, color=LINE, linewidth=0.8)
