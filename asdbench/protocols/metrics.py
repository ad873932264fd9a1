"""Metrics of DCASE Task 2 as the official evaluators compute them."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer]
Scores = NDArray[np.float64]
MAX_FPR = 0.1
FLOOR = sys.float_info.epsilon


def auc(labels: Labels, scores: Scores) -> float:
    """Area under the ROC curve; chance is 0.5."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores))


def pauc(labels: Labels, scores: Scores) -> float:
    """Partial area for false-positive rates up to 0.1, standardised by McClish; chance is 0.5."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores, max_fpr=MAX_FPR))


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
