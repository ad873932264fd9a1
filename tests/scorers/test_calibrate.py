"""Calibration by domain, against its formula written out clip by clip."""

from itertools import pairwise

import numpy as np
import pytest
from labelled_clips import labelled, source_then_target
from scipy.spatial.distance import cdist

import asdbench
from asdbench.scorers.base import ScorerError
from asdbench.scorers.steps.calibrate import quantiles

RNG = np.random.default_rng(8)
SOURCE, TARGET = RNG.normal(size=(24, 5)) + 1, 2 * RNG.normal(size=(8, 5)) - 1
TRAIN, TEST = np.concatenate([SOURCE, TARGET]), np.concatenate([RNG.normal(size=(15, 5)), 9 * RNG.normal(size=(5, 5))])
CLIPS = source_then_target(24, 8)


def calibrated(scorer="knn", clips=CLIPS, **params):
    given = {f"calibrate.{name}": value for name, value in params.items()}
    knn = {"n_neighbors": 1, "metric": "cosine"} if scorer == "knn" else {}
    return asdbench.build(f"calibrate+{scorer}", kind="scorers", **given, **knn).fit(TRAIN, clips)


def curve_by_hand(score, known):
    known = sorted(known)
    n = len(known)
    if score > known[-1]:
        x, scale = score - known[-1], known[-1] - np.median(known)
        return n / (n + 1) + (1 - n / (n + 1)) * x / (x + scale)
    corners = [(0.0, 0.0), *((one, (i + 1) / (n + 1)) for i, one in enumerate(known))]
    for (x0, y0), (x1, y1) in pairwise(corners):
        if x0 <= score <= x1:
            return y0 + (y1 - y0) * (score - x0) / (x1 - x0)
    raise AssertionError(score)


@pytest.mark.parametrize("assign", ["soft", "hard"])
@pytest.mark.parametrize(
    ("method", "pooling"), [("quantile", 0.0), ("quantile", 10.0), ("z-score", 0.0), ("ratio", 0.0)]
)
def test_the_formula_written_out(assign, method, pooling):
    among = cdist(TRAIN, TRAIN, "cosine")
    np.fill_diagonal(among, np.inf)
    known = among.min(axis=1)
    expected = []
    for row in cdist(TEST, TRAIN, "cosine"):
        score, near = row.min(), [row[:24].min(), row[24:].min()]
        weights = np.exp(-np.array(near) / np.median(known))
        weights = np.eye(2)[int(np.argmin(near))] if assign == "hard" else weights / weights.sum()
        parts = []
        for own in (known[:24], known[24:]):
            n = len(own)
            pooled = (n * curve_by_hand(score, own) + pooling * curve_by_hand(score, known)) / (n + pooling)
            parts.append(
                {"quantile": pooled, "z-score": (score - own.mean()) / own.std(), "ratio": score / np.median(own)}[
                    method
                ]
            )
        expected.append(weights @ parts)
    scorer = calibrated(method=method, pooling=pooling, assign=assign)
    assert np.allclose(scorer.score(TEST), expected, rtol=1e-7)
    assert scorer.notes == []


def test_pooling_all_gives_the_order_of_the_scorer_alone():
    plain = asdbench.build("knn", n_neighbors=1, metric="cosine").fit(TRAIN).score(TEST)
    assert np.array_equal(np.argsort(calibrated(pooling=1e5).score(TEST)), np.argsort(plain))


def test_the_curve_rises_everywhere_even_below_negative_scores():
    for known in (RNG.normal(size=9), np.abs(RNG.normal(size=9)), np.full(4, 2.0), np.array([1.0])):
        at = np.linspace(-3 if known.min() < 0 else 0, 50, 4000)
        values = quantiles(known)(at)
        assert np.all(np.diff(values) > 0) or len(set(known)) == 1
        assert 0 <= values.min() <= values.max() < 1


def test_scores_that_may_be_negative_are_not_divided():
    given = {"calibrate.method": "ratio", "rescale": "difference", "n_neighbors": 1}
    with pytest.raises(ScorerError, match=r"median score of the source domain, -.*\n.*calibrate\.method=quantile"):
        asdbench.build("calibrate+knn", kind="scorers", **given).fit(TRAIN, CLIPS)


@pytest.mark.parametrize("domains", [["source"] * 32, [None] * 32, ["source"] * 31 + ["target"]])
def test_one_domain_and_a_domain_of_one_clip_are_enough(domains):
    scorer = calibrated(clips=labelled(domains))
    assert len(np.unique(scorer.score(TEST))) == len(TEST)
    assert ("so there is one bank" in " ".join(scorer.notes)) == (len(set(domains)) == 1)


def test_bands_are_passed_on_to_scorers_that_take_them():
    rows = RNG.normal(size=(30, 3, 4))
    scorer = asdbench.build("calibrate+beam", kind="scorers").fit(rows, source_then_target(22, 8))
    assert np.isfinite(scorer.score(rows[:4])).all()
