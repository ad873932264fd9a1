from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asdbench.protocols.metrics import auc, harmonic_mean, pauc, precision_recall_f1


def auc_by_pairs(labels, scores):
    """Share of (normal, anomaly) pairs in the right order; ties count half."""
    pairs = [(a > n) + 0.5 * (a == n) for a in scores[labels == 1] for n in scores[labels == 0]]
    return sum(pairs) / len(pairs)


def pauc_by_strips(labels, scores, limit=0.1):
    """Area under the ROC up to ``limit``, strip by strip, then McClish's formula."""
    thresholds = np.unique(scores)[::-1]
    points = [(0.0, 0.0)] + [
        (float(np.mean(scores[labels == 0] >= t)), float(np.mean(scores[labels == 1] >= t))) for t in thresholds
    ]
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= limit or x1 == x0:
            continue
        end = min(x1, limit)
        height = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
        area += (end - x0) * (y0 + height) / 2
    lowest, highest = limit**2 / 2, limit
    return 0.5 * (1 + (area - lowest) / (highest - lowest))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=4, max_size=60))
def test_auc_and_pauc_are_their_definitions(rows):
    labels = np.array([0, 1] + [int(label) for label, _ in rows])
    scores = np.array([3.0, 4.0] + [float(score) for _, score in rows])
    assert auc(labels, scores) == pytest.approx(auc_by_pairs(labels, scores), abs=1e-12)
    assert pauc(labels, scores) == pytest.approx(pauc_by_strips(labels, scores), abs=1e-12)


def test_a_zero_does_not_stop_the_harmonic_mean():
    assert harmonic_mean([0.5, 1.0]) == pytest.approx(2 / 3)
    assert 0 < harmonic_mean([0.0, 0.9]) < 1e-14


def test_precision_recall_f1():
    labels, decisions = np.array([1, 1, 1, 0, 0]), np.array([1, 0, 1, 1, 0])
    assert precision_recall_f1(labels, decisions) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert precision_recall_f1(labels, np.zeros(5, int)) == (0.0, 0.0, 0.0)
