"""Score against cost: where each system stands, and which no cheaper one equals."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from asdbench.leaderboard.rows import Row
from asdbench.leaderboard.table import Table
from asdbench.leaderboard.text import count, percent, seconds, span

WIDTH, HEIGHT = 620.0, 260.0
FEWEST = 3  # systems whose cost differs; fewer make no picture
ZERO = 46.0  # from the left, where systems that cost nothing stand; the others begin behind it
Cost = Callable[[Row], float | None]


@dataclass(frozen=True)
class Point:
    """A system in the picture; places in its pixels."""

    title: str
    x: float
    y: float
    low: float
    high: float
    on_front: bool


@dataclass(frozen=True)
class CostPicture:
    """All systems whose cost of one kind is known."""

    name: str  # for the page's own use
    label: str  # of the cost
    points: Sequence[Point]  # the systems
    path: str  # of the front, from the cheapest to the best, as SVG has paths
    front: str  # what the front is of, in words
    x_ticks: Mapping[float, str]  # labels by their place
    y_ticks: Mapping[float, str]  # the same
    chance: float  # where its level lies


def cost_pictures(table: Table) -> list[CostPicture]:
    """A picture for each kind of cost that is known of systems enough."""
    kinds: list[tuple[str, str, Cost, Callable[[float], str]]] = [
        ("total", "training and scoring all clips, s", lambda row: row.total_s, seconds),
        ("training", "training, s", _training, seconds),
        ("clip", "scoring a clip, ms", milliseconds_of_clip, lambda value: f"{value:.3g}"),
        ("parameters", "parameters", lambda row: row.parameters, lambda value: count(round(value))),
        ("macs", "multiply-accumulates for a clip", macs_of, lambda value: count(round(value))),
    ]
    pictures = [_picture(table, *kind) for kind in kinds]
    return [picture for picture in pictures if picture is not None]


def front_of(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """Places of those that have a higher score than all that cost no more, from the cheapest on."""
    front: list[int] = []
    for place in sorted(range(len(costs)), key=lambda one: (costs[one], -scores[one])):
        if not front or scores[place] > scores[front[-1]]:
            front.append(place)
    return front


def _picture(table: Table, name: str, label: str, cost: Cost, shown: Callable[[float], str]) -> CostPicture | None:
    rows = [row for row in table.of("measured", "submitted") if row.rank is not None]
    known = [(row, value) for row in rows if (value := cost(row)) is not None]
    positive = [value for _, value in known if value > 0]
    if len(known) < FEWEST or len(set(positive)) < FEWEST:
        return None
    level = next(row.score.value for row in table.rows if row.kind == "chance") or 0.5
    ends = [end for row, _ in known for end in row.interval or ()]
    low, high = min([level, *ends]) - 0.01, max([level, *ends]) + 0.01
    decades = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)) + 1e-9)

    def x_of(value: float) -> float:
        if value <= 0:
            return ZERO
        share = (math.log10(value) - decades[0]) / max(decades[1] - decades[0], 1)
        return ZERO + 34 + share * (WIDTH - ZERO - 34 - 16)

    def y_of(score: float) -> float:
        return (HEIGHT - 34) * (high - score) / (high - low) + 8

    scores = [row.score.value or 0.0 for row, _ in known]
    front = front_of([value for _, value in known], scores)
    points = [
        Point(
            f"{row.label}: {percent(row.score.value)} ({span(row.interval)}), {shown(value)}",
            x_of(value),
            y_of(score),
            y_of(row.interval[0] if row.interval else score),
            y_of(row.interval[1] if row.interval else score),
            place in front,
        )
        for place, ((row, value), score) in enumerate(zip(known, scores, strict=True))
    ]
    corners = [f"M{points[front[0]].x:.1f} {points[front[0]].y:.1f}"]
    corners += [f"H{points[place].x:.1f}V{points[place].y:.1f}" for place in front[1:]]
    named = [f"{known[place][0].label} ({percent(scores[place])}; {shown(known[place][1])})" for place in front]
    x_ticks = {x_of(10.0**power): shown(10.0**power) for power in range(decades[0], decades[1] + 1)}
    x_ticks |= {ZERO: "0"} if len(positive) < len(known) else {}
    steps = range(math.ceil(20 * low), math.floor(20 * high) + 1)
    steps = range(steps.start + steps.start % 2, steps.stop, 2) if len(steps) > 8 else steps
    return CostPicture(
        name=name,
        label=label,
        points=points,
        path="".join(corners),
        front="; ".join(named),
        x_ticks=x_ticks,
        y_ticks={y_of(step / 20): f"{5 * step}" for step in steps},
        chance=y_of(level),
    )


def _training(row: Row) -> float | None:
    """What takes no hundredth of a second trains nothing to speak of."""
    return 0.0 if row.train_s is not None and row.train_s < 0.01 else row.train_s


def milliseconds_of_clip(row: Row) -> float | None:
    """Of embedding and scoring."""
    clips = sum(row.system.records[0].dataset.test_clips.values()) if row.system else 0
    return 1000 * row.score_s / clips if row.score_s is not None and clips else None


def macs_of(row: Row) -> float | None:
    """Multiply-accumulates of the largest network for a clip, 0 where there is none; None where that is not known."""
    if row.system is None:
        return None
    if row.system.submitted:
        return row.system.submitted.macs
    networks = [network.macs for record in row.system.records for network in record.training]
    return None if None in networks else max((one for one in networks if one is not None), default=0)
