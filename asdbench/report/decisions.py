"""Which test clips the decision threshold gets wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from asdbench.protocols.decisions import Decisions, decision_measures
from asdbench.report.contents import SectionView


@dataclass(frozen=True)
class ScoredClip:
    """A test clip with its score; label and threshold are None where they are not known, the domain is then empty."""

    section: str
    name: str
    domain: str
    label: int | None
    score: float
    threshold: float | None

    @property
    def above(self) -> float:
        """How far it scores above the threshold."""
        return self.score - (self.threshold or 0.0)


@dataclass(frozen=True)
class Counts:
    """Decisions on some clips."""

    normal: int  # normal clips
    false_alarms: int  # those of them that score above the threshold
    anomaly: int  # anomalous clips
    misses: int  # those of them that do not


def scored_clips(views: Sequence[SectionView]) -> list[ScoredClip]:
    """All clips of some sections."""
    return [
        ScoredClip(
            section=view.section,
            name=name,
            domain=str(view.domains[row]),
            label=None if view.labels is None else int(view.labels[row]),
            score=float(view.scores[row]),
            threshold=None if view.threshold is None else view.threshold.value,
        )
        for view in views
        for row, name in enumerate(view.names)
    ]


def count(clips: Sequence[ScoredClip]) -> Counts | None:
    """Decisions on clips; None where none has a label and a threshold."""
    decided = [clip for clip in clips if clip.label is not None and clip.threshold is not None]
    if not decided:
        return None
    normal = [clip for clip in decided if clip.label == 0]
    anomaly = [clip for clip in decided if clip.label == 1]
    false_alarms, misses = sum(clip.above > 0 for clip in normal), sum(clip.above <= 0 for clip in anomaly)
    return Counts(len(normal), false_alarms, len(anomaly), misses)


def measures(views: Sequence[SectionView], clip_s: Mapping[str, float]) -> Decisions | None:
    """What decisions on some sections are worth, of those whose labels are known; None where there is none."""
    sections = {}
    for view in views:
        if view.rows is not None:
            decided = None if view.threshold is None else (view.scores > view.threshold.value).astype(np.int64)
            sections[view.machine, view.section] = replace(view.rows, decisions=decided)
    return decision_measures(sections, clip_s) if sections else None


def worst_mistakes(views: Sequence[SectionView], number: int) -> tuple[list[ScoredClip], list[ScoredClip]]:
    """The worst false alarms and misses of a machine type, worst first.

    The normal clips farthest above their section's threshold and the anomalies farthest below it; clips with equal
    distances in the order of section and name. Sections without labels or a threshold have none.
    """
    clips = [clip for clip in scored_clips(views) if clip.threshold is not None]
    false_alarms = [clip for clip in clips if clip.label == 0 and clip.above > 0]
    misses = [clip for clip in clips if clip.label == 1 and clip.above <= 0]
    return (
        sorted(false_alarms, key=lambda clip: (-clip.above, clip.section, clip.name))[:number],
        sorted(misses, key=lambda clip: (clip.above, clip.section, clip.name))[:number],
    )


def typical_normal(views: Sequence[SectionView], domain: str) -> ScoredClip | None:
    """The normal clip of a domain whose score is the median, to compare mistakes with; None without labels."""
    normal = [clip for clip in scored_clips(views) if clip.label == 0 and clip.domain == domain]
    normal.sort(key=lambda clip: (clip.score, clip.section, clip.name))
    return normal[(len(normal) - 1) // 2] if normal else None
