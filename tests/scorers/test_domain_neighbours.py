import numpy as np
import pytest
from labelled_clips import labelled, source_then_target
from scipy.spatial.distance import cdist

import asdbench
from asdbench.scorers.base import ScorerError

RNG = np.random.default_rng(2)
SOURCE = RNG.normal(size=(40, 6)).astype(np.float32)
TARGET = (3 * RNG.normal(size=(7, 6)) + 4).astype(np.float32)
TRAIN, CLIPS = np.concatenate([SOURCE, TARGET]), source_then_target(40, 7)
TEST = (2 * RNG.normal(size=(15, 6)) + 1).astype(np.float32)


def fitted(train=TRAIN, clips=CLIPS, **params):
    scorer = asdbench.build("knn-domains", kind="scorers", **params)
    scorer.fit(train, clips)
    return scorer


def nearest(queries, rows, k, metric, itself=False):
    distances = np.sort(cdist(queries.astype(float), rows.astype(float), metric), axis=1)
    return distances[:, itself : k + itself].mean(axis=1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("standardise", ["none", "z-score", "target-deviation"])
def test_the_formula_written_out(metric, standardise):
    scorer = fitted(n_neighbors_source=3, n_neighbors_target=2, metric=metric, standardise=standardise)
    own_source, own_target = nearest(SOURCE, SOURCE, 3, metric, True), nearest(TARGET, TARGET, 2, metric, True)
    means, deviations = {
        "none": ([0, 0], [1, 1]),
        "z-score": ([own_source.mean(), own_target.mean()], [own_source.std(), own_target.std()]),
        "target-deviation": ([own_source.mean(), own_target.mean()], [own_target.std(), own_target.std()]),
    }[standardise]
    banks = np.stack([nearest(TEST, SOURCE, 3, metric), nearest(TEST, TARGET, 2, metric)], axis=1)
    assert np.allclose(scorer.score(TEST), ((banks - means) / deviations).min(axis=1), rtol=1e-9)
    training = np.concatenate(
        [
            np.stack([own_source, nearest(SOURCE, TARGET, 2, metric)], axis=1),
            np.stack([nearest(TARGET, SOURCE, 3, metric), own_target], axis=1),
        ]
    )
    assert np.allclose(scorer.training_scores(), ((training - means) / deviations).min(axis=1), rtol=1e-9)
    assert scorer.notes == []


def test_with_one_neighbour_and_nothing_standardised_it_is_plain_knn():
    plain = asdbench.build("knn", n_neighbors=1)
    plain.fit(TRAIN, CLIPS)
    assert np.allclose(fitted().score(TEST), plain.score(TEST), rtol=1e-12)
    assert np.allclose(fitted().training_scores(), plain.training_scores(), rtol=1e-12)


@pytest.mark.parametrize("domains", [["source"], ["target"], [None], [""]])
def test_clips_of_one_domain_are_one_bank(domains):
    scorer = fitted(clips=labelled(domains * 47), n_neighbors_source=4, n_neighbors_target=4)
    assert np.allclose(scorer.score(TEST), nearest(TEST, TRAIN, 4, "euclidean"), rtol=1e-9)
    assert "so there is one bank" in scorer.notes[0]


def test_a_standardised_bank_of_few_clips_is_told():
    (note,) = fitted(TRAIN[:41], CLIPS[:41], standardise="z-score").notes
    assert "single clip" in note
    assert np.isfinite(fitted(TRAIN[:41], CLIPS[:41], standardise="z-score").training_scores()).all()
    assert "taken, not 5" in fitted(TRAIN[:43], CLIPS[:43], n_neighbors_target=5).notes[0]


def test_one_clip_of_each_domain_and_no_more():
    scorer = fitted(TRAIN[39:41], CLIPS[39:41], standardise="z-score")
    apart = np.linalg.norm(TRAIN[39].astype(float) - TRAIN[40])
    assert np.allclose(scorer.training_scores(), [apart, apart])
    assert np.isfinite(scorer.score(TEST)).all()


def test_too_few_clips_and_no_numbers_are_refused():
    with pytest.raises(ScorerError, match="at least 2 training clips; there is 1"):
        fitted(TRAIN[:1], CLIPS[:1])
    spoilt = TEST.copy()
    spoilt[0, 0] = np.inf
    with pytest.raises(ScorerError, match="not numbers"):
        fitted().score(spoilt)
    with pytest.raises(ScorerError, match="not numbers"):
        fitted(spoilt, CLIPS[:15])
