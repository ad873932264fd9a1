import numpy as np
import pytest
from labelled_clips import source_then_target
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

import asdbench

RNG = np.random.default_rng(6)
SOURCE = (RNG.normal(size=(60, 5)) + 2 * RNG.integers(0, 3, (60, 1))).astype(np.float32)
TARGET = (RNG.normal(size=(6, 5)) - 3).astype(np.float32)
TRAIN, CLIPS = np.concatenate([SOURCE, TARGET]), source_then_target(60, 6)
TEST = (3 * RNG.normal(size=(12, 5))).astype(np.float32)


def fitted(train=TRAIN, clips=CLIPS, seed=0, **params):
    scorer = asdbench.build("kmeans-target", kind="scorers", **params)
    scorer.seed = seed
    scorer.fit(train, clips)
    return scorer


def centres(rows, seed):
    order = sorted(range(len(rows)), key=lambda place: rows[place].tobytes())
    return KMeans(16, n_init=10, random_state=seed).fit(rows[order]).cluster_centers_


def test_cosine_as_the_published_program():
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (SOURCE.astype(float), TARGET, TEST)]
    expected = 1 - np.maximum((unit[2] @ centres(unit[0], 3).T).max(axis=1), (unit[2] @ unit[1].T).max(axis=1))
    scorer = fitted(seed=3)
    assert np.allclose(scorer.score(TEST), expected, rtol=1e-6, atol=1e-7)
    assert scorer.notes == []
    assert scorer.training_scores() is None


def test_euclidean_distance_to_centres_and_target_clips():
    rows = SOURCE.astype(float)
    expected = np.minimum(cdist(TEST, centres(rows, 3)).min(axis=1), cdist(TEST, TARGET).min(axis=1))
    assert np.allclose(fitted(seed=3, metric="euclidean").score(TEST), expected, rtol=1e-9)


def test_one_centre_is_the_mean():
    scores = fitted(metric="euclidean", n_clusters=1).score(SOURCE)
    far = np.linalg.norm(SOURCE - SOURCE.astype(float).mean(axis=0), axis=1)
    assert np.allclose(scores, np.minimum(far, cdist(SOURCE, TARGET).min(axis=1)), rtol=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_fewer_clips_than_centres_are_kept_as_they_are(metric):
    train, clips = np.concatenate([SOURCE[:9], SOURCE[:9], TARGET]), source_then_target(18, 6)
    scorer = fitted(train, clips, metric=metric)
    assert "9 differing source clips" in scorer.notes[0]
    assert np.allclose(scorer.score(TEST), cdist(TEST, train, metric).min(axis=1), rtol=1e-6)


def test_without_target_or_source():
    alone = fitted(SOURCE, source_then_target(60, 0), metric="euclidean")
    assert "no target clips" in alone.notes[0]
    assert np.allclose(alone.score(TEST), cdist(TEST, centres(SOURCE.astype(float), 0)).min(axis=1), rtol=1e-9)
    target = fitted(TARGET, source_then_target(0, 6), metric="euclidean")
    assert "no source clips" in target.notes[0]
    assert np.allclose(target.score(TEST), cdist(TEST, TARGET).min(axis=1), rtol=1e-6)
