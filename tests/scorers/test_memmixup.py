import numpy as np
import pytest
from labelled_clips import labelled, source_then_target
from scipy.spatial.distance import cdist

import asdbench
from asdbench.scorers import memmixup
from asdbench.scorers.base import ScorerError

RNG = np.random.default_rng(4)
SOURCE = RNG.normal(size=(20, 5)).astype(np.float32)
TARGET = (2 * RNG.normal(size=(5, 5)) + 3).astype(np.float32)
TRAIN, CLIPS = np.concatenate([SOURCE, TARGET]), source_then_target(20, 5)
TEST = (2 * RNG.normal(size=(12, 5)) + 1).astype(np.float32)


def fitted(train=TRAIN, clips=CLIPS, **params):
    scorer = asdbench.build("knn-memmixup", kind="scorers", **params)
    scorer.fit(train, clips)
    return scorer


def mean_of_nearest(row, rows, k):
    return np.sort([np.linalg.norm(row - other) for other in rows])[:k].mean()


@pytest.mark.parametrize("unit_length", [False, True])
@pytest.mark.parametrize(("n_mix", "k"), [(4, 1), (990, 3)])
def test_the_definition_written_out(n_mix, k, unit_length):
    scale = (lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)) if unit_length else (lambda rows: rows)
    source, target, test = (scale(rows.astype(float)) for rows in (SOURCE, TARGET, TEST))
    bank = [(number, row) for number, row in enumerate(target)]
    for number, row in enumerate(target):
        by_distance = sorted(source, key=lambda other, row=row: np.linalg.norm(row - other))
        bank += [(number, 0.8 * row + 0.2 * other) for other in by_distance[:n_mix]]
    rows = [row for _, row in bank]
    assert len(rows) == 5 * (1 + min(n_mix, 20))
    in_source = [mean_of_nearest(row, np.delete(source, place, axis=0), 2) for place, row in enumerate(source)]
    in_target = [
        mean_of_nearest(row, [other for parent, other in bank if parent != number], k)
        for number, row in enumerate(target)
    ]
    expected = [
        min(
            (mean_of_nearest(row, source, 2) - np.mean(in_source)) / np.std(in_source),
            (mean_of_nearest(row, rows, k) - np.mean(in_target)) / np.std(in_target),
        )
        for row in test
    ]
    scorer = fitted(n_mix=n_mix, alpha=0.8, n_neighbors_source=2, n_neighbors_target=k, unit_length=unit_length)
    assert np.allclose(scorer.score(TEST), expected, rtol=1e-9)
    assert scorer.training_scores() is None
    assert scorer.notes == []


def test_mixtures_of_the_target_alone_are_copies_of_it():
    scores = fitted(alpha=1.0, standardise="none").score(TEST)
    assert np.allclose(scores, cdist(TEST, TRAIN).min(axis=1), rtol=1e-6)


@pytest.mark.parametrize("domains", [["source"], ["target"], [None]])
def test_one_domain_is_knn(domains):
    scorer = fitted(clips=labelled(domains * 25), standardise="none")
    assert "nothing is mixed" in scorer.notes[0]
    assert np.allclose(scorer.score(TEST), cdist(TEST, TRAIN).min(axis=1), rtol=1e-6)


def test_banks_with_fewer_rows_than_neighbours_are_told():
    assert fitted(n_mix=3, n_neighbors_source=20, n_neighbors_target=20).notes == [
        "the source bank has 20 clips; 19 neighbours are taken, not 20",
        "the target bank has 20 rows; 19 neighbours are taken, not 20",
    ]


def test_one_target_clip_is_standardised_as_the_source():
    scorer = fitted(TRAIN[:21], CLIPS[:21])
    assert "target bank is a single clip" in scorer.notes[0]
    assert np.isfinite(scorer.score(TEST)).all()


def test_more_mixtures_than_memory_holds_are_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr(memmixup, "LARGEST", 260)
    with pytest.raises(ScorerError, match=r"5 target clips with 20 source .* -p knn-memmixup\.n_mix=10"):
        fitted()
    fitted(n_mix=10)
