"""Anomaly scores of a section's test clips, by domain and label, with the decision threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asdbench.pages.figures import BLUE, INK, LINE, MUTED, ORANGE, drawing_style, new_figure
from asdbench.report.contents import SectionView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS = 60  # clips of a group up to which each is a dot
BINS = 30
ROW_PX = 68
CAPTION = 0.32  # of a row's height, above its dots: nothing else is drawn there
DOMAIN_COLOURS = {"source": BLUE, "target": ORANGE, "": INK}
_LANES = (0.0, 0.1, -0.1, 0.2, -0.2)  # where dots stand that would cover each other
Values = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Group:
    """Clips that stand in one row."""

    name: str  # of the row, "source, normal"; stands above it
    domain: str  # decides the colour
    anomalous: bool | None  # decides the marker; None for clips of which it is not known
    values: Values  # of the clips
    remark: str = ""  # behind the name, "3 of 10 false alarms"
    wrong: str | None = None  # which side of the limit is the wrong one; None where neither is

    @property
    def marks(self) -> dict[str, Any]:
        """Colours of its dots or bars."""
        colour = DOMAIN_COLOURS.get(self.domain, INK)
        return {"facecolor": colour if self.anomalous else "none", "edgecolor": colour}


def draw_scores(view: SectionView) -> "Figure":
    """A row of dots, or a histogram, for each domain and label; clips on the wrong side of the threshold stand out."""
    limit = view.threshold.value if view.threshold is not None else None
    return draw_groups(score_groups(view), limit, "anomaly score")


def score_groups(view: SectionView) -> list[Group]:
    """The section's clips by domain and label, those without by domain alone; empty groups are left out."""
    kinds: list[tuple[str, bool | None, str, str | None]] = [("unlabelled", None, "above the threshold", None)]
    if view.labels is not None:
        kinds = [("normal", False, "false alarms", "above"), ("anomaly", True, "missed", "below")]
    groups = []
    for domain in DOMAIN_COLOURS:
        for kind, anomalous, what, wrong in kinds:
            chosen = view.domains == domain
            if view.labels is not None:
                chosen = chosen & (view.labels == anomalous)
            scores = view.scores[chosen]
            if not len(scores):
                continue
            remark = ""
            if view.threshold is not None:
                above = scores > view.threshold.value
                remark = f"{np.sum(~above if anomalous else above)} of {len(scores)} {what}"
            groups.append(Group(f"{domain}, {kind}" if domain else kind, domain, anomalous, scores, remark, wrong))
    return groups


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
            align = "left" if share < 0.25 else "right" if share > 0.75 else "center"
            text = axes.annotate(f"threshold {limit:.4g}", (limit, -0.76), ha=align, va="top", fontsize=11)
            text.set_in_layout(False)  # within the axes as it is
        edges = _edges(low, high, limit, logarithmic)
        dots = max(len(group.values) for group in groups) <= DOTS
        tallest = max(int(np.histogram(group.values, edges)[0].max()) for group in groups)
        for row, group in enumerate(groups):
            if limit is not None:
                top, bottom = row - 0.5 + CAPTION, row + 0.45
                axes.fill_between([limit, high], top, bottom, color=LINE, alpha=0.5, linewidth=0)
                axes.plot([limit, limit], [top, bottom], color=INK, linewidth=1.2)
            if dots:
                places = _share(np.sort(group.values), low, high, logarithmic) * width_px
                _draw_dots(axes, group, row, limit, places)
            else:
                _draw_histogram(axes, group, row, limit, edges, tallest)
            _draw_caption(axes, group, row)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(label + (", logarithmic" if logarithmic else ""))
        tidy_numbers(axes, logarithmic)
    return figure


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


def _by_side(group: Group, values: Values, limit: float | None) -> list[tuple[NDArray[np.bool_], float]]:
    """Values on the right and on the wrong side of the limit, and how opaque they are drawn."""
    wrong = np.zeros(len(values), bool)
    if limit is not None and group.wrong is not None:
        wrong = np.asarray(values > limit if group.wrong == "above" else values <= limit)
    return [(~wrong, 0.5 if group.wrong else 0.8), (wrong, 1.0)]


def _draw_dots(axes: "Axes", group: Group, row: int, limit: float | None, places_px: NDArray[np.float64]) -> None:
    """A dot for each clip, in another lane where it would cover its neighbour."""
    ordered = np.sort(group.values)
    lanes: list[float] = []
    ends = [-np.inf] * len(_LANES)
    for place in places_px:
        lane = next((lane for lane, end in enumerate(ends) if place - end >= 7), int(np.argmin(ends)))
        ends[lane] = place
        lanes.append(row + 0.14 + _LANES[lane])
    for chosen, alpha in _by_side(group, ordered, limit):
        if chosen.any():  # a line without dots would take its place in the layout
            axes.plot(
                ordered[chosen],
                np.array(lanes)[chosen],
                linestyle="none",
                marker="D" if group.anomalous else "o",
                markersize=5.2 if group.anomalous else 5.8,
                markeredgewidth=1.3,
                alpha=alpha,
                clip_on=False,
                **{f"marker{name}": colour for name, colour in group.marks.items()},
            )


def _draw_histogram(
    axes: "Axes", group: Group, row: int, limit: float | None, edges: NDArray[np.float64], tallest: int
) -> None:
    scale, floor = (0.9 - CAPTION) / tallest, row + 0.45
    bottom = np.full(len(edges) - 1, floor)
    for chosen, alpha in _by_side(group, group.values, limit):
        heights = np.histogram(group.values[chosen], edges)[0] * scale
        lefts, widths, floors = (numbers[heights > 0] for numbers in (edges[:-1], np.diff(edges), bottom))
        bars = -heights[heights > 0], widths, floors
        axes.bar(lefts, *bars, align="edge", linewidth=1.0, alpha=alpha, **group.marks)
        bottom = bottom - heights
    axes.axhline(floor, color=LINE, linewidth=0.8)


def _draw_caption(axes: "Axes", group: Group, row: int) -> None:
    height = row - 0.5 + CAPTION / 2
    for text, share, align, colour in ((group.name, 0, "left", INK), (group.remark, 1, "right", MUTED)):
        place = (share, height)
        coordinates = ("axes fraction", "data")
        caption = axes.annotate(text, place, xycoords=coordinates, ha=align, va="center", fontsize=12, color=colour)
        caption.set_in_layout(False)
