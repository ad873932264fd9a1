import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from labelled_clips import labelled, source_then_target
from scipy.spatial.distance import cdist

import asdbench

RNG = np.random.default_rng(3)
SOURCE = RNG.normal(size=(30, 5)).astype(np.float32)
TARGET = (RNG.normal(size=(6, 5)) + 3).astype(np.float32)
TRAIN, CLIPS = np.concatenate([SOURCE, TARGET]), source_then_target(30, 6)
TEST = np.concatenate([RNG.normal(size=(6, 5)), RNG.normal(size=(6, 5)) + 3]).astype(np.float32)


def fitted(train=TRAIN, clips=CLIPS, seed=0, **params):
    scorer = asdbench.build("knn-smote", kind="scorers", **params)
    scorer.seed = seed
    scorer.fit(train, clips)
    return scorer


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_scores_are_those_of_imbalanced_learns_rows(metric):
    rows = TRAIN.astype(float)
    if metric == "cosine":
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    sorted_target = rows[30:][sorted(range(6), key=lambda place: rows[30 + place].tobytes())]
    smote = SMOTE(sampling_strategy=0.5, k_neighbors=2, random_state=7)
    filled, kinds = smote.fit_resample(np.concatenate([rows[:30], sorted_target]), [0] * 30 + [1] * 6)
    assert sum(kinds) == 15
    to_source = np.sort(cdist(TEST, rows[:30], metric), axis=1)[:, :3].mean(axis=1)
    to_target = np.sort(cdist(TEST, filled[np.array(kinds) == 1], metric), axis=1)[:, :2].mean(axis=1)
    assert 0 < sum(to_target < to_source) < 12
    expected = np.minimum(to_source, to_target)
    scorer = fitted(seed=7, ratio=0.5, n_neighbors_source=3, n_neighbors_target=2, metric=metric)
    assert np.allclose(scorer.score(TEST), expected, rtol=1e-9)
    assert scorer.training_scores() is None
    assert scorer.notes == []


def test_every_new_row_lies_between_a_target_clip_and_one_of_its_nearest():
    scorer = asdbench.build("knn-smote", ratio=1.0, smote_neighbors=2)
    target = TARGET.astype(float)
    filled = scorer.oversampled(SOURCE.astype(float), target)
    assert len(filled) == 30
    nearest = np.argsort(cdist(target, target), axis=1)[:, 1:3]
    segments = [(target[a], target[b]) for a in range(6) for b in nearest[a]]
    for row in filled[6:]:
        detours = [np.linalg.norm(row - a) + np.linalg.norm(row - b) - np.linalg.norm(a - b) for a, b in segments]
        assert min(detours) < 1e-9


def test_the_seed_alone_decides():
    assert np.array_equal(fitted(seed=1).score(TEST), fitted(seed=1).score(TEST))
    assert not np.array_equal(fitted(seed=1).score(TEST), fitted(seed=2).score(TEST))


@pytest.mark.parametrize(("count", "note"), [(0, "no target clip"), (1, "one target clip")])
def test_too_few_target_clips_leave_knn_and_say_so(count, note):
    scorer = fitted(TRAIN[: 30 + count], CLIPS[: 30 + count])
    assert note in scorer.notes[0]
    assert np.allclose(scorer.score(TEST), cdist(TEST, TRAIN[: 30 + count], "cosine").min(axis=1), rtol=1e-6)


def test_banks_with_fewer_rows_than_neighbours_are_told():
    scorer = fitted(TRAIN[:32], CLIPS[:32], ratio=0.1, n_neighbors_source=40, n_neighbors_target=9)
    told = [note for note in scorer.notes if "neighbours are taken" in note]
    assert told == [
        "the source bank has 30 clips; 29 neighbours are taken, not 40",
        "the target bank has 3 clips; 2 neighbours are taken, not 9",
    ]


def test_fewer_target_clips_than_neighbours_and_a_ratio_that_is_there_already():
    assert "looks at 1 neighbours, as there are 2" in fitted(TRAIN[:32], CLIPS[:32]).notes[0]
    scorer = fitted(ratio=0.2)
    assert "SMOTE adds none" in scorer.notes[0]
    assert np.allclose(scorer.score(TEST), cdist(TEST, TRAIN, "cosine").min(axis=1), rtol=1e-6)
    assert "SMOTE adds none" in fitted(clips=labelled(["target"] * 36)).notes[0]
