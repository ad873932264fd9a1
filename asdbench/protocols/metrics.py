"""Metrics of DCASE Task 2 as the official evaluators compute them, of one test set and of many resampled ones.

A resampled set is given by how often each clip is in it: weights (replicates, clips). They are fastest where one clip's
weights lie side by side in memory (Fortran order), as ``resampling`` draws them. Counts may be float32: all sums are
whole or half numbers then, exact whatever their order, while twice the number of pairs stays below 2^24.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer]
Scores = NDArray[np.float64]
Array = NDArray[np.float64]
Weights = NDArray[Any]  # float64, or float32 counts
MAX_FPR = 0.1
TENTHS = round(1 / MAX_FPR)
FLOOR = sys.float_info.epsilon


def auc(labels: Labels, scores: Scores) -> float:
    """Area under the ROC curve, ``sklearn.metrics.roc_auc_score`` in a fortieth of its time; chance is 0.5."""
    false, hits = _roc(labels, scores)
    return float(np.sum(np.diff(false) * (hits[1:] + hits[:-1])) / (2 * false[-1] * hits[-1]))


def pauc(labels: Labels, scores: Scores) -> float:
    """Partial area for false-positive rates up to 0.1, standardised by McClish; chance is 0.5."""
    false, hits = _roc(labels, scores)
    width = np.diff(false)
    inside = np.clip(MAX_FPR * false[-1] - false[:-1], 0.0, width)  # a strip is cut where the curve crosses the limit
    slope = np.diff(hits) / np.maximum(width, 1)
    area = np.sum(inside * (hits[:-1] + slope * inside / 2)) / (false[-1] * hits[-1])
    return float(_mcclish(area))


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


def resampled_auc(labels: Labels, scores: Scores, weights: Weights) -> Array:
    """AUC for each row of weights (replicates, clips): the weighted share of pairs in the right order."""
    normal, anomaly = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    below, above = weights.T[normal], weights.T[anomaly]
    pairs = _pairs(scores[anomaly], scores[normal], above, below)
    return np.asarray(pairs / (_sums(below) * _sums(above)))


def resampled_pauc(labels: Labels, scores: Scores, weights: Weights) -> Array:
    """PAUC (McClish) for each row of weights; ``roc_auc_score`` with ``sample_weight``, for many at once.

    The area is that of the AUC in which a normal clip counts as far as it lies within the first tenth of them all.
    """
    normal, anomaly = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    normal = normal[np.argsort(-scores[normal], kind="stable")]
    above = weights.T[anomaly]
    normals, anomalies = _sums(weights.T[normal]), _sums(above)
    whole = np.array(TENTHS, weights.dtype)
    for guess in (int(0.3 * len(normal)) + 10, len(normal)):  # mostly all replicates have their tenth in fewer
        first = int(np.searchsorted(-scores[normal], -scores[normal[:guess]][-1], "right"))  # ties are whole
        below = weights.T[normal[:first]] * whole  # in tenths of a clip, so that counts give whole numbers
        inside = np.clip(normals.astype(below.dtype) - (np.cumsum(below, axis=0) - below), 0, below)
        if first == len(normal) or not inside[-1].any():
            break
    head = scores[normal[:first]]
    area = _pairs(scores[anomaly], head, above, inside)
    for tie in np.intersect1d(head, scores[anomaly]):  # there the curve is slanted, and of a part less than half counts
        width, part = (of[head == tie].astype(np.float64).sum(axis=0) for of in (below, inside))
        share = np.divide(part, width, out=np.ones_like(part), where=width > 0)
        area -= _sums(above[scores[anomaly] == tie]) * part * (1 - share) / 2
    return np.asarray(_mcclish(area / (TENTHS * normals * anomalies)))


def _roc(labels: Labels, scores: Scores) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Normal clips and anomalies at or above each score, from none to all."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.append(0, np.cumsum(labels[order] == 1)[ends])
    return np.append(0, ends + 1) - hits, hits


def _mcclish(area: Any) -> Any:
    lowest = MAX_FPR**2 / 2
    return 0.5 * (1 + (area - lowest) / (MAX_FPR - lowest))


def _pairs(anomaly: Scores, normal: Scores, above: Weights, below: Weights) -> Array:
    """The weighted number of pairs in the right order, ties counting half, for each replicate."""
    ahead = anomaly[:, None] - normal[None, :]
    wins = ((ahead > 0) + 0.5 * (ahead == 0)).astype(above.dtype)
    return np.asarray(np.einsum("ar,ar->r", wins @ below, above), np.float64)


def _sums(weights: Weights) -> Array:
    return np.asarray(weights.sum(axis=0), np.float64)
