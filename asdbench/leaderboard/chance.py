"""What scores drawn at random come to on a board's own test clips."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.metrics import MAX_FPR, Labels
from asdbench.protocols.resampling import Sections, interval
from asdbench.protocols.results import Interval

DRAWINGS = 2000
LEVEL = 0.5  # of an AUC, and of a pAUC by McClish, whatever the clips
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Chance:
    """The official score of random scores."""

    total: float  # mean of all drawings
    range95: Interval  # 2.5 and 97.5 percentiles of a single drawing
    terms: dict[str, float]  # mean over drawings of each term's mean over all sections
    machines: dict[str, float]  # mean over drawings by machine type


def chance_of(protocol: str, sections: Sections) -> Chance:
    """Score every section's clips with ``DRAWINGS`` sets of random scores.

    The drawings depend on machine type and section alone. A harmonic mean lies below the arithmetic one, so the mean
    is somewhat below 0.5.
    """
    definition = DEFINITIONS[protocol]
    metrics = {"auc": drawn_auc, "pauc": drawn_pauc}
    by_machine: dict[str, list[Array]] = {}
    by_term: dict[str, list[Array]] = {}
    for (machine, section), rows in sorted(sections.items()):
        rng = np.random.default_rng(derive_seed(0, "chance", machine, section))
        scores = rng.random((DRAWINGS, len(rows.labels)))
        for term in definition.terms(rows):
            values = metrics[term.metric](rows.labels[term.mask], scores[:, term.mask])
            name = "pauc" if term.name.startswith("pauc_") else term.name  # 2021 has one for each domain
            by_machine.setdefault(machine, []).append(values)
            by_term.setdefault(name, []).append(values)
    total = np.asarray(definition.of_dataset(by_machine))
    return Chance(
        total=float(total.mean()),
        range95=interval(total),
        terms={name: float(np.mean(definition.mean(values))) for name, values in by_term.items()},
        machines={name: float(np.mean(definition.of_machine(values))) for name, values in by_machine.items()},
    )


def drawn_auc(labels: Labels, scores: Array) -> Array:
    """AUC of each row of scores (drawings, clips) without ties, from the ranks of the anomalies."""
    ranks = scores.argsort(axis=1).argsort(axis=1) + 1.0
    anomalies = int(np.sum(labels == 1))
    normals = len(labels) - anomalies
    return np.asarray((ranks[:, labels == 1].sum(axis=1) - anomalies * (anomalies + 1) / 2) / (anomalies * normals))


def drawn_pauc(labels: Labels, scores: Array) -> Array:
    """PAUC (McClish) of each row of scores (drawings, clips) without ties: a staircase up to the limit."""
    ordered = labels[scores.argsort(axis=1)[:, ::-1]]
    normal = ordered == 0
    height = np.cumsum(ordered == 1, axis=1) / np.sum(labels == 1)  # true-positive rate where each normal clip stands
    step = 1.0 / np.sum(labels == 0)
    begins = (np.cumsum(normal, axis=1) - 1) * step
    width = np.where(normal, np.clip(MAX_FPR - begins, 0.0, step), 0.0)
    area = np.sum(height * width, axis=1)
    lowest = MAX_FPR**2 / 2
    return np.asarray(0.5 * (1 + (area - lowest) / (MAX_FPR - lowest)))
