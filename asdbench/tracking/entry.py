"""What one MLflow run is to hold, in plain values: nothing here knows MLflow."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Status = Literal["FINISHED", "FAILED", "KILLED", "RUNNING"]
MAX_PARAM, MAX_TAG, MAX_NAME = 6000, 8000, 250  # characters, MLflow's limits
RECORD_TAG = "asdbench.record"  # digest of the record: what tells whether a run is there already
KEY_TAG = "asdbench.key"  # of a child: which part of its parent it is
COMPLETE_TAG = "asdbench.complete"  # set last


@dataclass(frozen=True)
class Point:
    """One value of a metric. ``at_ms``: milliseconds since 1970."""

    name: str
    value: float
    step: int
    at_ms: int


@dataclass(frozen=True)
class DatasetInput:
    """Recordings that a run took in.

    Attributes:
        name: shown in the UI.
        digest: of the recordings.
        context: training or evaluation.
        source: what was asked for.
        profile: counts.
    """

    name: str
    digest: str
    context: str
    source: Mapping[str, Any]
    profile: Mapping[str, int]


@dataclass(frozen=True)
class Entry:
    """One MLflow run.

    Attributes:
        key: identifies it among the children of its parent; empty for a parent.
        name: shown in the UI.
        status: how it ended.
        start_ms: milliseconds since 1970.
        end_ms: milliseconds since 1970.
        params: what was chosen.
        points: what came out.
        tags: everything else.
        inputs: the recordings.
    """

    key: str
    name: str
    status: Status
    start_ms: int
    end_ms: int
    params: dict[str, str]
    points: list[Point]
    tags: dict[str, str]
    inputs: list[DatasetInput] = field(default_factory=list)


def milliseconds(moment: str) -> int:
    """ISO 8601 as milliseconds since 1970."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def key_text(name: str) -> str:
    """A name that MLflow takes for a parameter, metric or tag."""
    return re.sub(r"[^\w.\-:/ ]+", "_", name)[:MAX_NAME]


def value_text(value: Any, longest: int = MAX_PARAM) -> str:
    """A value as a run file writes it; cut where MLflow would refuse it."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def as_params(values: Mapping[str, Any]) -> dict[str, str]:
    """Parameters; those without a value are left out."""
    return {key_text(name): value_text(value) for name, value in values.items() if value is not None}


def as_tags(values: Mapping[str, Any]) -> dict[str, str]:
    """Tags; those without a value are left out."""
    return {key_text(name): value_text(value, MAX_TAG) for name, value in values.items() if value not in (None, "")}


def as_points(values: Mapping[str, float | None], at_ms: int, step: int = 0) -> Iterator[Point]:
    """One value each; what is missing or not finite is left out, as databases keep no NaN."""
    for name, value in values.items():
        if value is not None and math.isfinite(value):
            yield Point(key_text(name), float(value), step, at_ms)
