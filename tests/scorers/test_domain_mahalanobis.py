import numpy as np
import pytest
from labelled_clips import labelled, source_then_target
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

import asdbench
from asdbench.scorers.base import ScorerError

RNG = np.random.default_rng(7)
SOURCE = (RNG.normal(size=(50, 4)) @ RNG.normal(size=(4, 4))).astype(np.float32)
TARGET = (2 * RNG.normal(size=(9, 4)) @ RNG.normal(size=(4, 4)) + 3).astype(np.float32)
TRAIN, CLIPS = np.concatenate([SOURCE, TARGET]), source_then_target(50, 9)
TEST = (3 * RNG.normal(size=(20, 4))).astype(np.float32)


def fitted(name="mahalanobis-domains", train=TRAIN, clips=CLIPS, **params):
    scorer = asdbench.build(name, kind="scorers", **params)
    scorer.fit(train, clips)
    return scorer


def covariance(rows):
    rows = rows.astype(float) - rows.astype(float).mean(axis=0)
    return sum(np.outer(row, row) for row in rows) / len(rows)


def distances(queries, rows, precision):
    mean = rows.astype(float).mean(axis=0)
    return np.array([np.sqrt((row - mean) @ precision @ (row - mean)) for row in queries.astype(float)])


def pooled():
    return (50 * covariance(SOURCE) + 9 * covariance(TARGET)) / 59


def test_each_domain_by_its_own_covariance():
    scorer = fitted()
    expected = np.minimum(
        *(distances(TEST, rows, np.linalg.inv(covariance(rows))) for rows in (SOURCE, TARGET)),
    )
    assert np.allclose(scorer.score(TEST), expected, rtol=1e-8)
    assert np.allclose(fitted(share="never").score(TEST), expected, rtol=1e-8)
    assert scorer.notes == []
    assert scorer.training_scores() is None


def test_shrunk_covariances_are_scikit_learns():
    scores = fitted("mahalanobis-domains-lw").score(TEST)
    own = [LedoitWolf().fit(rows.astype(float)) for rows in (SOURCE, TARGET)]
    assert np.allclose(scores, np.sqrt(np.min([model.mahalanobis(TEST.astype(float)) for model in own], axis=0)))


def test_a_shared_covariance_is_that_of_discriminant_analysis():
    scorer = fitted(share="always")
    shared = np.linalg.inv(pooled())
    assert np.allclose(scorer.score(TEST), np.minimum(*(distances(TEST, rows, shared) for rows in (SOURCE, TARGET))))
    theirs = LinearDiscriminantAnalysis(solver="lsqr", store_covariance=True).fit(
        TRAIN.astype(float), [0] * 50 + [1] * 9
    )
    assert np.allclose(pooled(), theirs.covariance_, rtol=1e-5)
    assert scorer.notes == []


def test_few_target_clips_take_the_covariance_of_all_and_say_so():
    train, clips = TRAIN[:54], CLIPS[:54]
    scorer = fitted(train=train, clips=clips)
    few = train[50:]
    shared = (50 * covariance(SOURCE) + 4 * covariance(few)) / 54
    expected = np.minimum(
        distances(TEST, SOURCE, np.linalg.inv(covariance(SOURCE))), distances(TEST, few, np.linalg.inv(shared))
    )
    assert np.allclose(scorer.score(TEST), expected, rtol=1e-8)
    (note,) = scorer.notes
    assert "4 target clips in 4 dimensions is singular; that of all clips" in note


def test_pseudo_inverses_collapse_where_few_clips_leave_directions_out():
    """Why the target's own pseudo-inverse is not the default: what lies across its span is not seen."""
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(200, 30)), rng.normal(size=(4, 30))
    train, clips = np.concatenate([source, target]), source_then_target(200, 4)
    across = np.linalg.svd(target - target.mean(axis=0))[2][-1]
    strange = target.mean(axis=0) + 50 * across[None]
    collapsed = fitted(train=train, clips=clips, share="never")
    assert collapsed.score(strange)[0] < 1e-6
    assert "4 target clips in 30 dimensions is singular (rank 3); its pseudo-inverse" in collapsed.notes[0]
    assert fitted(train=train, clips=clips).score(strange)[0] > 30


@pytest.mark.parametrize("share", ["where-singular", "never", "always"])
@pytest.mark.parametrize("covariance", ["ml", "ledoit-wolf"])
def test_one_target_clip_or_equal_ones_do_not_make_everything_normal(share, covariance):
    for train, clips in (
        (TRAIN[:51], CLIPS[:51]),
        (np.concatenate([SOURCE, np.tile(TARGET[:1], (5, 1))]), source_then_target(50, 5)),
    ):
        scorer = fitted(train=train, clips=clips, share=share, covariance=covariance)
        assert scorer.score(TEST).min() > 0.05
        assert bool(scorer.notes) == (share != "always")


@pytest.mark.parametrize("domain", ["source", "target", None])
def test_one_domain_is_plain_mahalanobis(domain):
    clips = labelled([domain] * 59)
    for name, plain in (("mahalanobis-domains", "mahalanobis-ml"), ("mahalanobis-domains-lw", "mahalanobis-lw")):
        theirs = asdbench.build(plain, kind="scorers")
        theirs.fit(TRAIN, clips)
        scorer = fitted(name, clips=clips)
        assert np.allclose(scorer.score(TEST), theirs.score(TEST), rtol=1e-6)
        assert "so there is one bank" in scorer.notes[0]


def test_singular_covariances_throughout():
    train, clips = RNG.normal(size=(12, 30)), source_then_target(8, 4)
    scorer = fitted(train=train, clips=clips)
    assert "all 12 clips in 30 dimensions is singular (rank 10); its pseudo-inverse is used" in scorer.notes[-1]
    assert fitted("mahalanobis-domains-lw", train, clips).notes == []


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ScorerError, match="a covariance needs at least 2 training clips; there is 1"):
        fitted(train=TRAIN[:1], clips=CLIPS[:1])
    equal = np.concatenate([np.tile(SOURCE[:1], (4, 1)), np.tile(TARGET[:1], (3, 1))])
    with pytest.raises(ScorerError, match="of each domain have the same embedding"):
        fitted(train=equal, clips=source_then_target(4, 3))
    with pytest.raises(ScorerError, match="not numbers"):
        fitted().score(np.full((2, 4), np.nan, np.float32))
