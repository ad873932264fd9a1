"""Metrics of DCASE Task 2 as the official evaluators compute them, of one test set and of many resampled ones.

A resampled set is given by how often each clip is in it: weights (replicates, clips). They are fastest where one clip's
weights lie side by side in memory (Fortran order), as ``resampling`` draws them.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer]
Scores = NDArray[np.float64]
Array = NDArray[np.float64]
MAX_FPR = 0.1
FLOOR = sys.float_info.epsilon


def auc(labels: Labels, scores: Scores) -> float:
    """Area under the ROC curve; chance is 0.5."""
    from sklearn.metrics import auc as area_under
    from sklearn.metrics import roc_curve

    false, hits, _ = roc_curve(labels, scores)  # as roc_auc_score does, in a third of its time
    return float(area_under(false, hits))


def pauc(labels: Labels, scores: Scores) -> float:
    """Partial area for false-positive rates up to 0.1, standardised by McClish; chance is 0.5."""
    from sklearn.metrics import auc as area_under
    from sklearn.metrics import roc_curve

    false, hits, _ = roc_curve(labels, scores)  # as roc_auc_score(max_fpr=0.1) does, which checks more
    stop = int(np.searchsorted(false, MAX_FPR, "right"))
    crossing = np.interp(MAX_FPR, false[stop - 1 : stop + 1], hits[stop - 1 : stop + 1])
    area = area_under(np.append(false[:stop], MAX_FPR), np.append(hits[:stop], crossing))
    lowest = MAX_FPR**2 / 2
    return float(0.5 * (1 + (area - lowest) / (MAX_FPR - lowest)))


def harmonic_mean(values: Sequence[Any]) -> NDArray[np.float64]:
    """Harmonic mean along the first axis; values are floored at the machine epsilon first, as officially."""
    floored = np.maximum(np.asarray(values, np.float64), FLOOR)
    return np.asarray(len(floored) / np.sum(1.0 / floored, axis=0))


def arithmetic_mean(values: Sequence[Any]) -> NDArray[np.float64]:
    """Arithmetic mean along the first axis."""
    return np.asarray(np.mean(np.asarray(values, np.float64), axis=0))


def precision_recall_f1(labels: Labels, decisions: Labels) -> tuple[float, float, float]:
    """Precision, recall and F1 of 0/1 decisions; denominators are floored at the machine epsilon."""
    hits = float(np.sum((labels == 1) & (decisions == 1)))
    precision = hits / max(float(np.sum(decisions == 1)), FLOOR)
    recall = hits / max(float(np.sum(labels == 1)), FLOOR)
    return precision, recall, 2 * precision * recall / max(precision + recall, FLOOR)


def resampled_auc(labels: Labels, scores: Scores, weights: Array) -> Array:
    """AUC for each row of weights (replicates, clips): the weighted share of pairs in the right order."""
    normal, anomaly = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    ahead = scores[anomaly][None, :] - scores[normal][:, None]
    wins = (ahead > 0) + 0.5 * (ahead == 0)
    below, above = weights.T[normal], weights.T[anomaly]
    pairs = np.einsum("ar,ar->r", wins.T @ below, above)
    return np.asarray(pairs / (below.sum(axis=0) * above.sum(axis=0)))


def resampled_pauc(labels: Labels, scores: Scores, weights: Array) -> Array:
    """PAUC (McClish) for each row of weights; ``roc_auc_score`` with ``sample_weight``, for many at once."""
    order = np.argsort(-scores, kind="stable")
    starts = _corners(labels[order], scores[order])
    normal = labels[order] == 0
    normals, anomalies = (weights @ (labels == label).astype(np.float64) for label in (0, 1))
    first = int(np.searchsorted(np.cumsum(normal), 2 * MAX_FPR * normal.sum())) + 1  # most curves have passed the limit
    while True:
        used = starts[: np.searchsorted(starts, first)]
        end = int(starts[len(used)]) if len(used) < len(starts) else len(scores)
        ordered = weights.T[order[:end]]
        false = np.cumsum(np.add.reduceat(ordered * normal[:end, None], used, axis=0), axis=0) / normals
        passed = (false >= MAX_FPR).all(axis=1)
        if passed.any() or end == len(scores):
            break
        first = min(2 * first, len(scores))
    needed = int(np.argmax(passed)) + 1  # behind it every curve has passed the limit
    hits = np.cumsum(np.add.reduceat(ordered * ~normal[:end, None], used, axis=0)[:needed], axis=0) / anomalies
    start = np.zeros((1, len(weights)))
    fpr = np.vstack([start, false[:needed]])
    tpr = np.vstack([start, hits])
    width = np.diff(fpr, axis=0)
    inside = np.clip(MAX_FPR - fpr[:-1], 0.0, width)  # a strip is cut where the curve crosses the limit
    slope = np.divide(np.diff(tpr, axis=0), width, out=np.zeros_like(width), where=width > 0)
    area = np.sum(inside * (tpr[:-1] + slope * inside / 2), axis=0)
    lowest = MAX_FPR**2 / 2
    return np.asarray(0.5 * (1 + (area - lowest) / (MAX_FPR - lowest)))


def _corners(labels: Labels, scores: Scores) -> NDArray[np.intp]:
    """Where, in descending order of the scores, the ROC curve's straight pieces begin.

    A tie is one piece; so is a stretch of scores that only one class has.
    """
    firsts = np.flatnonzero(np.append(True, np.diff(scores) != 0))
    anomalies = np.add.reduceat(labels == 1, firsts)
    sizes = np.diff(np.append(firsts, len(scores)))
    kind = np.where(anomalies == 0, 0, np.where(anomalies == sizes, 1, 2))  # normal, anomaly, mixed
    new = np.append(True, (kind[1:] != kind[:-1]) | (kind[1:] == 2))
    return np.asarray(firsts[new])
