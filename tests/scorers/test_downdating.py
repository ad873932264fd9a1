"""Scorers without some of their training clips, against fits to the others written out."""

import numpy as np
import pytest
from labelled_clips import labelled, source_then_target
from sklearn.covariance import EmpiricalCovariance, LedoitWolf

import asdbench
from asdbench.scorers.base import ScorerError
from asdbench.scorers.out_of_fold import fold_scores, held_out_scores
from asdbench.scorers.scatter import Moments, Scatter

WITHIN = 1e-9
PLAIN = ["mahalanobis-ml", "mahalanobis-lw", "mahalanobis-domains", "mahalanobis-domains-lw"]
STEPS = ["by-domain+mahalanobis-ml", "by-domain+mahalanobis-lw", "calibrate+mahalanobis-lw", "by-domain+knn"]
STEPS += ["unit-length+mahalanobis-lw", "unit-length+by-domain+mahalanobis-lw", "by-domain+calibrate+mahalanobis-ml"]


def drawn(count, dim, target=0):
    """Rows whose variance falls with the dimension, the last ones of another domain; and their clips."""
    random = np.random.default_rng([count, dim, target])
    mixing = np.linalg.qr(random.normal(size=(dim, dim)))[0] / np.sqrt(np.arange(1, dim + 1))[:, None]
    rows = random.normal(size=(count, dim)) @ mixing + 3
    rows[count - target :] = 1.5 * rows[count - target :] - 1
    return rows.astype(np.float32), source_then_target(count - target, target)


def fitted_by(name, **params):
    def fitted(rows, clips):
        scorer = asdbench.build(name, kind="scorers", **params)
        scorer.seed = 3
        return scorer.fit(rows, clips)

    return fitted


def assert_as_refitted(fitted, rows, clips, left_out, test):
    """Scores of rows that are left out, and of new ones, are those of a fit to the others."""
    others = [clip for clip, gone in zip(clips, left_out, strict=True) if not gone]
    without, anew = fitted(rows, clips).without(left_out), fitted(rows[~left_out], others)
    for asked in (rows[left_out], test):
        np.testing.assert_allclose(without.score(asked), anew.score(asked), rtol=WITHIN, atol=1e-12)
    return without, anew, others


@pytest.mark.parametrize("name", PLAIN + STEPS)
@pytest.mark.parametrize(("count", "dim", "target"), [(90, 8, 20), (60, 25, 12), (40, 60, 10), (40, 30, 0)])
def test_scores_are_those_of_a_fit_to_the_others(name, count, dim, target):
    (rows, clips), (test, _) = drawn(count, dim, target), drawn(9, dim, 3)
    for every in (20, 3, 2):
        left_out = np.arange(count) % every == 1
        without, anew, others = assert_as_refitted(fitted_by(name), rows, clips, left_out, test)
        again = np.arange(len(others)) % 5 == 2
        twice = without.without(again)
        if twice is None:
            continue
        last = anew.without(again)
        np.testing.assert_allclose(twice.score(test), last.score(test), rtol=WITHIN, atol=1e-12)


@pytest.mark.parametrize("library", [EmpiricalCovariance, LedoitWolf])
@pytest.mark.parametrize(("count", "dim"), [(70, 12), (70, 60), (20, 30), (9, 64), (12, 1)])
def test_distances_are_those_of_scikit_learn(library, count, dim):
    random = np.random.default_rng(count + dim)
    rows, test = random.normal(size=(count, dim)) + 5, random.normal(size=(11, dim))
    left_out = np.arange(count) % 5 == 1
    moments = Scatter(rows).without(left_out)
    theirs = library().fit(rows[~left_out])
    spread = moments.spread(shrunk=library is LedoitWolf)
    np.testing.assert_allclose(spread.squared(test, moments.mean), theirs.mahalanobis(test), rtol=WITHIN)
    if library is LedoitWolf:
        assert moments.shrinkage()[0] == pytest.approx(theirs.shrinkage_, rel=WITHIN)


@pytest.mark.parametrize("share", ["where-singular", "always", "never"])
@pytest.mark.parametrize("covariance", ["ml", "ledoit-wolf"])
@pytest.mark.parametrize(("count", "dim", "target"), [(60, 6, 20), (60, 30, 4), (30, 40, 3)])
def test_domains_share_a_covariance_as_in_a_fit(share, covariance, count, dim, target):
    (rows, clips), (test, _) = drawn(count, dim, target), drawn(9, dim, 3)
    fitted = fitted_by("mahalanobis-domains", share=share, covariance=covariance)
    for left_out in (np.arange(count) % 7 == 0, np.arange(count) >= count - target + 1, np.arange(count) > count - 2):
        assert_as_refitted(fitted, rows, clips, left_out, test)
    domain_gone = np.arange(count) >= count - target
    assert_as_refitted(fitted, rows, clips, domain_gone, test)


@pytest.mark.parametrize("name", PLAIN)
def test_rows_that_span_too_little_and_rows_that_outweigh_the_others(name):
    rows, clips = drawn(50, 10, 15)
    rows[:, 7] = rows[:, 2]  # a dimension less
    rows[5:9] = rows[5]
    test = drawn(9, 10)[0]
    assert_as_refitted(fitted_by(name), rows, clips, np.arange(50) % 6 == 0, test)
    rows, clips = drawn(50, 10, 15)
    rows[3] *= 1e6
    scorer = fitted_by(name)
    assert_as_refitted(scorer, rows, clips, np.arange(50) == 3, test)
    assert_as_refitted(scorer, rows, clips, np.arange(50) < 10, test)


@pytest.mark.parametrize("name", PLAIN)
def test_what_a_fit_refuses_is_refused(name):
    rows, clips = np.repeat(drawn(2, 5)[0], [1, 6], axis=0), labelled(["source"] * 7)
    scorer = fitted_by(name)(rows, clips)
    with pytest.raises(ScorerError, match="the same embedding"):
        scorer.without(np.arange(7) == 0)
    with pytest.raises(ScorerError, match="at least 2 training clips"):
        scorer.without(np.arange(7) > 0)


def test_elliptic_envelope_is_downdated_only_where_there_is_no_search():
    rows, clips = drawn(40, 6)
    assert fitted_by("elliptic-envelope")(rows, clips).without(np.arange(40) < 5) is None
    everything = fitted_by("elliptic-envelope", support_fraction=1.0)
    assert_as_refitted(everything, rows, clips, np.arange(40) < 5, drawn(5, 6)[0])


@pytest.mark.parametrize("name", ["mahalanobis-lw", "by-domain+mahalanobis-lw", "calibrate+mahalanobis-lw"])
def test_held_out_scores_take_no_further_fits(name, monkeypatch):
    rows, clips = drawn(60, 10, 12)
    fitted, fits = fitted_by(name), []
    scorer, plain = fitted(rows, clips), LedoitWolf.fit

    def counting(self, *given):
        fits.append(self)
        return plain(self, *given)

    monkeypatch.setattr(LedoitWolf, "fit", counting)
    found = held_out_scores(scorer, rows, clips, fitted)
    assert not fits
    monkeypatch.setattr(type(scorer), "without", lambda *_: None)
    np.testing.assert_allclose(found, fold_scores(scorer, rows, clips, fitted, 20), rtol=WITHIN, atol=1e-12)
    assert len(fits) >= 20


def test_a_scorer_that_needs_a_fit_gets_one():
    rows, clips = drawn(60, 10)
    scorer = fitted_by("whiten+mahalanobis-lw")(rows, clips)
    assert scorer.without(np.arange(60) < 5) is None
    assert np.isfinite(held_out_scores(scorer, rows, clips, fitted_by("whiten+mahalanobis-lw"))).all()


def test_pooled_moments_are_those_of_rows_about_their_own_means():
    one, other = drawn(30, 5)[0].astype(float), drawn(3, 5)[0].astype(float)
    pooled = Moments.of(one) + Moments.of(other)
    rows = np.concatenate([one - one.mean(axis=0), other - other.mean(axis=0)])
    np.testing.assert_allclose(pooled.products(), rows.T @ rows)
    assert pooled.fourth == pytest.approx(np.sum(np.square(rows).sum(axis=1) ** 2))
