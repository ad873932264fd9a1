"""What decisions are worth, beside the official scores: false alarms, anomalies found, and F1-EV.

Each is computed for a section over the clips of all its domains, and averaged over sections, then over machine types.
Domains need not be known. Clips are resampled as for the official scores.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field

from asdbench.core.digests import derive_seed
from asdbench.core.validation import Model
from asdbench.protocols.definitions import SectionScores
from asdbench.protocols.metrics import Array, Labels, Scores
from asdbench.protocols.resampling import Sections, draws, in_order_of_names, interval
from asdbench.protocols.results import Interval

RATES = (0.01, 0.05, 0.1)  # of false alarms, at which anomalies found are counted
REPLICATES = 1_000
PER_HOUR = "false alarms an hour"  # the one measure that is no fraction
DRAWS = 2**19  # of clips at a time, of which a dozen arrays are made
HOUR_S = 3600.0
ROUNDING = 1e-9


class Measure(Model):
    """A number and its 95 % interval."""

    value: float
    ci95: Interval | None = Field(description="By a bootstrap over test clips; None where it was not asked for.")


class DecisionMeasures(Model):
    """Of one machine type, or the mean over all; None where clips of a class or decisions are missing."""

    f1_ev: Measure | None = Field(description="Expected F1 over all thresholds (Wilkinghoff and Imoto, 2024).")
    false_alarm_rate: Measure | None = Field(description="Share of normal test clips above the run's threshold.")
    false_alarms_per_hour: Measure | None = Field(
        description="In normal clips recorded one after the other; None where their length is not known."
    )
    detection_rate: Measure | None = Field(description="Share of anomalous test clips above the run's threshold.")
    detection_at: dict[str, Measure] = Field(
        description="The same at thresholds that at most this share of the normal test clips exceeds: '0.01', ..."
    )

    @property
    def named(self) -> dict[str, Measure]:
        """The measures that there are, by headings of a table."""
        measures = {
            "F1-EV": self.f1_ev,
            "false alarms": self.false_alarm_rate,
            PER_HOUR: self.false_alarms_per_hour,
            "detected": self.detection_rate,
            **{f"detected at {100 * float(rate):g} %": one for rate, one in self.detection_at.items()},
        }
        return {name: one for name, one in measures.items() if one is not None}


class Decisions(Model):
    """Of a data set."""

    total: DecisionMeasures = Field(description="Mean over machine types.")
    machines: dict[str, DecisionMeasures] = Field(description="By machine type.")


class _Value(NamedTuple):
    point: float
    resampled: Array  # (replicates,)


def decision_measures(
    sections: Sections, clip_s: Mapping[str, float] | float | None = None, replicates: int = REPLICATES
) -> Decisions:
    """What decisions on the test clips of some sections are worth.

    Args:
        sections: by machine type and section.
        clip_s: length of a clip (s), of all or by machine type.
        replicates: resampled test sets; 0 gives no intervals.
    """
    of_section: dict[str, list[dict[str, _Value]]] = {}
    for (machine, section), rows in sorted(sections.items()):
        seed = derive_seed(0, "bootstrap", machine, section)
        of_section.setdefault(machine, []).append(_of_section(in_order_of_names(rows), replicates, seed))
    machines = {machine: _mean(values) for machine, values in of_section.items()}
    for machine, values in machines.items():
        length = clip_s.get(machine) if isinstance(clip_s, Mapping) else clip_s
        if length and "false_alarm_rate" in values:
            point, resampled = values["false_alarm_rate"]
            values["false_alarms_per_hour"] = _Value(point * HOUR_S / length, resampled * HOUR_S / length)
    return Decisions(
        total=_measures(_mean(list(machines.values()))),
        machines={machine: _measures(values) for machine, values in machines.items()},
    )


def _of_section(rows: SectionScores, replicates: int, seed: int) -> dict[str, _Value]:
    whole = _values(rows, np.ones((1, len(rows.labels))))
    at_once = max(4, DRAWS // max(1, len(rows.labels)))
    chunks = [
        _values(rows, some)
        for weights in draws(rows, replicates, seed)
        for some in np.array_split(weights, math.ceil(len(weights) / at_once))  # none of one: it is summed otherwise
    ]
    none = [{name: np.empty(0) for name in whole}]
    return {
        name: _Value(float(value[0]), np.concatenate([chunk[name] for chunk in chunks or none]))
        for name, value in whole.items()
    }


def _values(rows: SectionScores, weights: Array) -> dict[str, Array]:
    """Every measure that the section has the clips for, for each row of weights (replicates, clips)."""
    values: dict[str, Array] = {}
    is_normal, is_anomaly = rows.labels == 0, rows.labels == 1
    if rows.decisions is not None:
        alarm = rows.decisions == 1
        for name, mask in (("false_alarm_rate", is_normal), ("detection_rate", is_anomaly)):
            if mask.any():
                values[name] = weights[:, mask & alarm].sum(axis=1) / weights[:, mask].sum(axis=1)
    if is_normal.any() and is_anomaly.any():
        values["f1_ev"] = f1_ev(rows.labels, rows.scores, weights)
        values |= {f"{rate:g}": detection_at(rate, rows.labels, rows.scores, weights) for rate in RATES}
    return values


def f1_ev(labels: Labels, scores: Scores, weights: Array) -> Array:
    """``sum_i F1(x_i) (x_(i+1) - x_i) / (x_N - x_1)``, over the N distinct scores in ascending order.

    F1(x) is that of calling all clips above x anomalous: the expected F1 of a threshold that may lie anywhere between
    the smallest and the largest score. 0 where all scores are equal.
    K. Wilkinghoff, K. Imoto, F1-EV score: measuring the likelihood of estimating a good decision threshold for
    semi-supervised anomaly detection, ICASSP 2024; the unbounded version.

    Args:
        labels: 1 for anomalies, (clips,).
        scores: (clips,).
        weights: how often each clip is in each test set, (replicates, clips).

    Returns:
        Float64 (replicates,).
    """
    distinct, normal, anomaly = _by_score(labels, scores, weights)
    not_above = np.cumsum(anomaly, axis=0), np.cumsum(normal, axis=0)
    anomalies, total = not_above[0][-1], not_above[0][-1] + not_above[1][-1]
    hits, alarms = anomalies - not_above[0][:-1], total - not_above[0][:-1] - not_above[1][:-1]
    inside = (alarms > 0) & (alarms < total)  # between the smallest and the largest score of this test set
    widths = np.diff(distinct)[:, None] * inside
    f1 = 2 * hits / np.maximum(alarms + anomalies, ROUNDING)
    span = widths.sum(axis=0)
    return np.asarray((f1 * widths).sum(axis=0) / np.where(span > 0, span, 1.0))


def detection_at(rate: float, labels: Labels, scores: Scores, weights: Array) -> Array:
    """Share of the anomalies above the smallest threshold that at most ``rate`` of the normal clips exceed.

    The arguments are those of ``f1_ev``.
    """
    _, normal, anomaly = _by_score(labels, scores, weights)
    alarms, hits = np.cumsum(normal[::-1], axis=0), np.cumsum(anomaly[::-1], axis=0)  # from the largest score on
    allowed = np.sum(alarms <= rate * alarms[-1] + ROUNDING, axis=0)
    found = np.take_along_axis(np.vstack([np.zeros_like(hits[:1]), hits]), allowed[None, :], axis=0)[0]
    return np.asarray(found / hits[-1])


def _by_score(labels: Labels, scores: Scores, weights: Array) -> tuple[Scores, Array, Array]:
    """Distinct scores, ascending, and how often normal and anomalous clips have them, (scores, replicates)."""
    distinct, place = np.unique(scores, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    ordered, is_normal = weights.T[order], (labels[order] == 0)[:, None]
    normal, anomaly = (np.add.reduceat(ordered * mask, starts, axis=0) for mask in (is_normal, ~is_normal))
    return distinct, normal, anomaly


def _mean(values: Sequence[Mapping[str, _Value]]) -> dict[str, _Value]:
    """The mean of every measure over those that have it."""
    names = dict.fromkeys(name for one in values for name in one)
    having = {name: [one[name] for one in values if name in one] for name in names}
    return {
        name: _Value(float(np.mean([one.point for one in ones])), np.mean([one.resampled for one in ones], axis=0))
        for name, ones in having.items()
    }


def _measures(values: Mapping[str, _Value]) -> DecisionMeasures:
    known = {
        name: Measure(value=value.point, ci95=interval(value.resampled) if len(value.resampled) else None)
        for name, value in values.items()
    }
    return DecisionMeasures(
        f1_ev=known.get("f1_ev"),
        false_alarm_rate=known.get("false_alarm_rate"),
        false_alarms_per_hour=known.get("false_alarms_per_hour"),
        detection_rate=known.get("detection_rate"),
        detection_at={f"{rate:g}": known[f"{rate:g}"] for rate in RATES if f"{rate:g}" in known},
    )
