import numpy as np
import pytest
from labelled_clips import labelled, source_then_target
from scipy.spatial.distance import cdist

import asdbench
from asdbench.scorers import rescaled
from asdbench.scorers.base import ScorerError

RNG = np.random.default_rng(5)
SOURCE = RNG.normal(size=(30, 5)).astype(np.float32)
TARGET = (3 * RNG.normal(size=(10, 5)) + 3).astype(np.float32)
TRAIN, CLIPS = np.concatenate([SOURCE, TARGET]), source_then_target(30, 10)
TEST = (2 * RNG.normal(size=(12, 5)) + 1).astype(np.float32)


def fitted(name="knn-ldn", train=TRAIN, clips=CLIPS, **params):
    scorer = asdbench.build(name, kind="scorers", **params)
    scorer.fit(train, clips)
    return scorer


def by_hand(queries, rows, k, metric):
    """min over y of d(x, y) / sum of d(y, y_k), loop by loop."""
    queries, rows = queries.astype(float), rows.astype(float)
    among = cdist(rows, rows, metric)
    sums = []
    for place in range(len(rows)):
        others = np.sort(np.delete(among[place], place))[:k]
        sums.append(k * others.mean())
    return np.array([min(d / s for d, s in zip(row, sums, strict=True)) for row in cdist(queries, rows, metric)])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_over_all_clips_as_wilkinghoff_et_al(metric):
    scorer = fitted(n_neighbors=4, metric=metric)
    assert np.allclose(scorer.score(TEST), by_hand(TEST, TRAIN, 4, metric), rtol=1e-9)
    assert scorer.notes == []


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_by_domain_with_16_and_9_neighbours_as_genrep(metric):
    scorer = fitted("knn-ldn-domains", metric=metric)
    expected = np.minimum(by_hand(TEST, SOURCE, 16, metric), by_hand(TEST, TARGET, 9, metric))
    assert np.allclose(scorer.score(TEST), expected, rtol=1e-9)
    assert scorer.notes == []


def test_training_scores_by_domain_leave_the_clip_out_of_its_bank():
    scores = fitted("knn-ldn-domains").training_scores()
    for place in (0, 29, 30, 39):
        source, target = np.delete(SOURCE, place, axis=0) if place < 30 else SOURCE, TARGET
        if place >= 30:
            target = np.delete(TARGET, place - 30, axis=0)
        row = TRAIN[place : place + 1]
        expected = min(by_hand(row, source, 16, "euclidean")[0], by_hand(row, target, 9, "euclidean")[0])
        assert np.isclose(scores[place], expected, rtol=1e-9)


def test_work_cut_into_blocks_comes_to_the_same(monkeypatch):
    whole = fitted("knn-ldn-domains")
    monkeypatch.setattr(rescaled, "NUMBERS", 70)
    cut = fitted("knn-ldn-domains")
    assert np.array_equal(whole.score(TEST), cut.score(TEST))
    assert np.array_equal(whole.training_scores(), cut.training_scores())


def test_a_small_bank_stays_comparable_and_says_so():
    scorer = fitted("knn-ldn-domains", TRAIN[:34], CLIPS[:34])
    assert "target bank has 4 clips; 3 neighbours are taken, not 9" in scorer.notes[0]
    expected = np.minimum(by_hand(TEST, SOURCE, 16, "euclidean"), by_hand(TEST, TARGET[:4], 9, "euclidean"))
    assert np.allclose(scorer.score(TEST), expected, rtol=1e-9)


def test_a_domain_of_one_clip_joins_the_other():
    scorer = fitted("knn-ldn-domains", TRAIN[:31], CLIPS[:31])
    assert "joins the source bank" in scorer.notes[0]
    assert np.allclose(scorer.score(TEST), by_hand(TEST, TRAIN[:31], 16, "euclidean"), rtol=1e-9)
    pair = fitted("knn-ldn-domains", TRAIN[29:31], CLIPS[29:31])
    assert pair.training_scores() is None
    assert np.isfinite(pair.score(TEST)).all()


@pytest.mark.parametrize("domains", [["source"], ["target"], [None]])
def test_one_domain_is_one_bank(domains):
    scorer = fitted("knn-ldn-domains", clips=labelled(domains * 40), n_neighbors_target=16)
    assert np.allclose(scorer.score(TEST), fitted().score(TEST), rtol=1e-12)


def test_equal_clips_take_the_highest_density_of_the_others():
    train = np.concatenate([TRAIN, np.tile(TRAIN[:1], (5, 1))])
    clips = source_then_target(30, 15)
    scorer = fitted(train=train, clips=clips, n_neighbors=3)
    assert "6 training clips have the same embedding as all their neighbours" in scorer.notes[0]
    assert np.isfinite(scorer.score(TEST)).all()
    assert scorer.score(TRAIN[:1])[0] == 0
    with pytest.raises(ScorerError, match=r"the same embedding as its 3 nearest.*-p knn-ldn\.n_neighbors"):
        fitted(train=np.tile(TRAIN[:1], (9, 1)), clips=source_then_target(9, 0), n_neighbors=3)
