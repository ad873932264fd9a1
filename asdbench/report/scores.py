"""The anomaly scores of a section's test clips, by domain and label, with the decision threshold."""

from typing import TYPE_CHECKING

import numpy as np

from asdbench.report.contents import SectionView
from asdbench.report.decisions import called_anomalous
from asdbench.report.groups import Group, draw_groups

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = {0: "normal", 1: "anomaly"}


def score_groups(view: SectionView) -> list[Group]:
    """The section's clips by domain and label, those without by domain alone; empty groups are left out."""
    called = called_anomalous(view)
    groups = []
    for domain in ("source", "target", ""):
        for label in (0, 1) if view.labels is not None else (None,):
            own = view.domains == domain
            if label is not None and view.labels is not None:
                own = own & (view.labels == label)
            if not own.any():
                continue
            name = ", ".join(part for part in (domain, "unlabelled" if label is None else LABELS[label]) if part)
            remark = ""
            if called is not None:
                above = int(np.sum(called & own))
                remark = {
                    0: f"{above} of {own.sum()} false alarms",
                    1: f"{own.sum() - above} of {own.sum()} missed",
                    None: f"{above} of {own.sum()} above the threshold",
                }[label]
            wrong = {0: "above", 1: "below", None: None}[label]
            anomalous = None if label is None else label == 1
            groups.append(Group(name, domain, anomalous, view.scores[own], remark, wrong))
    return groups


def draw_scores(view: SectionView) -> "Figure":
    """A row of dots, or a histogram, for each domain and label; clips on the wrong side of the threshold stand out."""
    limit = view.threshold.value if view.threshold is not None else None
    return draw_groups(score_groups(view), limit, "anomaly score")
