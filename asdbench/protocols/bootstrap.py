"""Bootstrap interval of the official score.

Test clips are drawn with replacement within each (section, domain, label), so every replicate holds the data set's
own numbers of clips. The official evaluators' jackknife lacks a factor N - 1 and concerns another quantity.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.protocols.evaluation import SectionScores
from asdbench.protocols.metrics import FLOOR, MAX_FPR

REPLICATES = 1000
Weights = NDArray[np.float64]


def bootstrap_interval(
    protocol: str, sections: Mapping[tuple[str, str], SectionScores], replicates: int = REPLICATES
) -> tuple[float, float]:
    """The 2.5 and 97.5 percentiles of the official score over ``replicates`` resampled test sets."""
    by_machine: dict[str, list[Weights]] = {}
    for (machine, section), rows in sorted(sections.items()):
        weights = _draw(rows, replicates, derive_seed(0, "bootstrap", machine, section))
        judged = [np.ones(len(rows.labels), bool)]
        if protocol != "dcase2020":
            judged = [(rows.domains == name) | (rows.labels == 1) for name in ("source", "target")]
        terms = [weighted_auc(rows.labels, rows.scores, weights * mask)[0] for mask in judged]
        terms.append(weighted_auc(rows.labels, rows.scores, weights)[1])
        by_machine.setdefault(machine, []).extend(terms)
    if protocol == "dcase2020":
        totals = np.mean([np.mean(terms, axis=0) for terms in by_machine.values()], axis=0)
    else:
        everything = np.maximum(np.stack([term for terms in by_machine.values() for term in terms]), FLOOR)
        totals = len(everything) / np.sum(1.0 / everything, axis=0)
    low, high = np.percentile(totals, [2.5, 97.5])
    return float(low), float(high)


def _draw(rows: SectionScores, replicates: int, seed: int) -> Weights:
    """How often each clip is drawn, (replicates, clips)."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((replicates, len(rows.labels)))
    strata = np.char.add(rows.domains.astype(str), rows.labels.astype(str))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        weights[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), replicates)
    return weights


def weighted_auc(labels: NDArray[np.integer], scores: NDArray[np.float64], weights: Weights) -> tuple[Weights, Weights]:
    """AUC and pAUC (McClish) for each row of weights; ``roc_auc_score`` with ``sample_weight``, for many at once."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(weights[:, order] * (labels[order] == 1), axis=1)[:, last_of_ties]
    false = np.cumsum(weights[:, order] * (labels[order] == 0), axis=1)[:, last_of_ties]
    start = np.zeros((len(weights), 1))
    tpr = np.hstack([start, hits / hits[:, -1:]])
    fpr = np.hstack([start, false / false[:, -1:]])
    width = np.diff(fpr, axis=1)
    whole = np.sum(width * (tpr[:, 1:] + tpr[:, :-1]) / 2, axis=1)

    # Up to MAX_FPR: each strip of the curve is cut where it crosses the limit.
    inside = np.clip(MAX_FPR - fpr[:, :-1], 0.0, width)
    slope = np.divide(np.diff(tpr, axis=1), width, out=np.zeros_like(width), where=width > 0)
    partial = np.sum(inside * (tpr[:, :-1] + slope * inside / 2), axis=1)
    lowest = MAX_FPR**2 / 2
    return whole, 0.5 * (1 + (partial - lowest) / (MAX_FPR - lowest))
