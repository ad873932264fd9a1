"""Which test clips the decision threshold gets wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asdbench.report.contents import SectionView


@dataclass(frozen=True)
class Counts:
    """Decisions on some clips.

    Attributes:
        normal: normal clips.
        false_alarms: those of them that score above the threshold.
        anomaly: anomalous clips.
        misses: those of them that do not.
    """

    normal: int = 0
    false_alarms: int = 0
    anomaly: int = 0
    misses: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.normal + other.normal,
            self.false_alarms + other.false_alarms,
            self.anomaly + other.anomaly,
            self.misses + other.misses,
        )


@dataclass(frozen=True)
class Mistake:
    """A clip on the wrong side of its threshold."""

    view: SectionView
    row: int

    @property
    def name(self) -> str:
        """File name of the clip."""
        return self.view.names[self.row]

    @property
    def score(self) -> float:
        """Anomaly score of the clip."""
        return float(self.view.scores[self.row])

    @property
    def domain(self) -> str:
        """Domain of the clip; an empty text where there is none."""
        return str(self.view.domains[self.row])


def called_anomalous(view: SectionView) -> NDArray[np.bool_] | None:
    """Whether each clip scores above the threshold; None where the record tells none."""
    return None if view.threshold is None else view.scores > view.threshold.value


def count(view: SectionView, domain: str | None = None) -> Counts | None:
    """Decisions on a section's clips, or on those of one domain; None without labels or a threshold."""
    called = called_anomalous(view)
    if called is None or view.labels is None:
        return None
    own = np.ones(len(called), bool) if domain is None else view.domains == domain
    normal, anomaly = own & (view.labels == 0), own & (view.labels == 1)
    return Counts(int(normal.sum()), int((normal & called).sum()), int(anomaly.sum()), int((anomaly & ~called).sum()))


def worst_mistakes(views: Sequence[SectionView], number: int) -> tuple[list[Mistake], list[Mistake]]:
    """The worst false alarms and misses of a machine type, worst first.

    The normal clips farthest above their section's threshold and the anomalies farthest below it; clips with equal
    distances in the order of section and name. Sections without labels or a threshold have none.
    """
    false_alarms: list[tuple[float, str, str, Mistake]] = []
    misses: list[tuple[float, str, str, Mistake]] = []
    for view in views:
        called = called_anomalous(view)
        if called is None or view.labels is None or view.threshold is None:
            continue
        for row, label in enumerate(view.labels):
            above = float(view.scores[row]) - view.threshold.value
            if label == 0 and called[row]:
                false_alarms.append((-above, view.section, view.names[row], Mistake(view, row)))
            elif label == 1 and not called[row]:
                misses.append((above, view.section, view.names[row], Mistake(view, row)))
    return _first(false_alarms, number), _first(misses, number)


def _first(found: list[tuple[float, str, str, Mistake]], number: int) -> list[Mistake]:
    return [mistake for *_, mistake in sorted(found, key=lambda own: own[:3])[:number]]


def typical_normal(views: Sequence[SectionView], domain: str) -> Mistake | None:
    """The normal clip of a domain whose score is the median, to compare mistakes with; None without labels."""
    rows = [
        (float(view.scores[row]), view.section, view.names[row], Mistake(view, row))
        for view in views
        if view.labels is not None
        for row in np.flatnonzero((view.labels == 0) & (view.domains == domain)).tolist()
    ]
    return sorted(rows, key=lambda own: own[:3])[(len(rows) - 1) // 2][-1] if rows else None
