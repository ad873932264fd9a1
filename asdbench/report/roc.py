"""ROC curves of a section by the protocol's own definition, with the region that pAUC measures."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asdbench.pages.figures import BLUE, INK, LINE, MUTED, ORANGE, drawing_style, new_figure
from asdbench.protocols import DEFINITIONS, SectionScores
from asdbench.protocols.metrics import MAX_FPR, auc, pauc

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"source": BLUE, "target": ORANGE, "all": INK}
NAMES = {"source": "source", "target": "target", "all": "all clips"}


@dataclass(frozen=True)
class Curve:
    """One ROC curve."""

    name: str  # "source", "target", or "all" for every clip
    fpr: NDArray[np.float64]  # false-positive rates, from 0 to 1
    tpr: NDArray[np.float64]  # true-positive rates
    auc: float  # area under it
    pauc: float  # of false-positive rates up to 0.1, standardised by McClish
    counted: frozenset[str]  # which of the two the official score counts


def section_curves(protocol: str, rows: SectionScores) -> list[Curve]:
    """The curves of the section's domains, over the clips that the definition compares, and of all its clips.

    From 2022 on a domain's curve is of its normal clips against the anomalies of both domains; in 2021 of its own
    clips; 2020 has no domains.
    """
    from sklearn.metrics import roc_curve

    definition = DEFINITIONS[protocol]
    masks: dict[str, NDArray[np.bool_]] = {}
    counted: dict[str, set[str]] = {}
    for term in definition.terms(rows):
        name = "all" if term.mask.all() and "_" not in term.name else term.name.partition("_")[2]
        masks.setdefault(name, term.mask)
        counted.setdefault(name, set()).add(term.metric)
    masks.setdefault("all", np.ones(len(rows.labels), bool))
    curves = []
    for name, mask in sorted(masks.items(), key=lambda item: list(COLOURS).index(item[0])):
        labels, scores = rows.labels[mask], rows.scores[mask]
        if np.ptp(labels) == 0:  # a curve that the score does not count and that these clips do not define
            continue
        fpr, tpr, _ = roc_curve(labels, scores)
        metrics = frozenset(counted.get(name, ()))
        curves.append(Curve(name, fpr, tpr, auc(labels, scores), pauc(labels, scores), metrics))
    return curves


def pauc_region(curve: Curve) -> NDArray[np.float64]:
    """Corners (n, 2) of the area under the curve for false-positive rates up to 0.1, which pAUC measures."""
    end = int(np.searchsorted(curve.fpr, MAX_FPR))  # the first point at the limit or beyond; a step may rise there
    x, y = curve.fpr[end - 1 : end + 1], curve.tpr[end - 1 : end + 1]
    height = y[0] + (y[1] - y[0]) * (MAX_FPR - x[0]) / (x[1] - x[0])
    return np.column_stack([[*curve.fpr[:end], MAX_FPR, MAX_FPR, 0.0], [*curve.tpr[:end], height, 0.0, 0.0]])


def draw_roc(curves: list[Curve]) -> "Figure":
    """All curves of a section; the pAUC region is shaded under those whose pAUC the official score counts."""
    from matplotlib.ticker import PercentFormatter

    with drawing_style():
        figure = new_figure(320, 392)
        axes = figure.add_subplot()
        axes.axvspan(0, MAX_FPR, color=LINE, alpha=0.55, linewidth=0)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="chance: AUC 50.0 %")
        for curve in curves:
            colour = COLOURS[curve.name]
            if "pauc" in curve.counted:
                axes.fill(*pauc_region(curve).T, color=colour, alpha=0.22, linewidth=0)
            thin = "auc" not in curve.counted
            text = f"{NAMES[curve.name]}: AUC {100 * curve.auc:.1f} %"
            if "pauc" in curve.counted:
                text += f", pAUC {100 * curve.pauc:.1f} %"
            line = {"linewidth": 1.3, "linestyle": (0, (1.2, 1.2))} if thin and len(curves) > 1 else {"linewidth": 2.0}
            axes.plot(curve.fpr, curve.tpr, color=colour, label=text, clip_on=False, **line)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[0, MAX_FPR, 0.5, 1], yticks=[0, 0.5, 1])
        axes.set(xlabel="false alarms among normal clips", ylabel="anomalies found")
        axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
        handles, texts = axes.get_legend_handles_labels()
        figure.legend([*handles[1:], handles[0]], [*texts[1:], texts[0]], loc="outside lower left")
    return figure
