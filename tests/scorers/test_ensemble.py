"""The scorer of ensembles against its formula written out."""

import numpy as np
import pytest

import asdbench

RANDOM = np.random.default_rng(3)
TRAIN = (RANDOM.standard_normal((40, 3)) * [1, 10, 100] + [0, 5, -50]).astype(np.float32)
TEST = (RANDOM.standard_normal((15, 3)) * [2, 20, 200] + [0, 5, -50]).astype(np.float32)


def scores(train, test, **params):
    scorer = asdbench.build("ensemble", kind="scorers", **params)
    scorer.fit(train, [])
    return scorer.score(test), scorer


@pytest.mark.parametrize(("combine", "function"), [("mean", np.mean), ("minimum", np.min), ("maximum", np.max)])
def test_z_scores_are_combined(combine, function):
    train, test = TRAIN.astype(float), TEST.astype(float)
    expected = function((test - train.mean(axis=0)) / train.std(axis=0), axis=1)
    np.testing.assert_allclose(scores(TRAIN, TEST, combine=combine)[0], expected, rtol=1e-10)


def test_scale_and_offset_of_a_member_do_not_matter():
    given, _ = scores(TRAIN, TEST)
    moved, _ = scores(TRAIN * np.float32(4) + np.float32(16), TEST * np.float32(4) + np.float32(16))
    np.testing.assert_allclose(moved, given, rtol=1e-4, atol=1e-5)


def test_ranks_are_the_part_of_training_scores_below():
    train, test = TRAIN.astype(float), np.clip(TEST.astype(float), TRAIN.min(axis=0), TRAIN.max(axis=0))
    below = (train[None] < test[:, None]).mean(axis=1) + (train[None] == test[:, None]).mean(axis=1) / 2
    found, _ = scores(TRAIN, test.astype(np.float32), normalise="rank")
    np.testing.assert_allclose(found, below.mean(axis=1), rtol=1e-10)


def test_ranks_tell_scores_beyond_all_training_scores_apart():
    beyond = TRAIN.max(axis=0) + np.array([[1.0], [2.0], [50.0]], np.float32)
    found, _ = scores(TRAIN, beyond, normalise="rank", combine="minimum")
    assert (np.diff(found) > 0).all()


def test_the_unit_of_a_member_does_not_matter_to_ranks():
    beyond = (TRAIN.max(axis=0) + np.array([[1, 30, 1], [2, 1, 500], [3, 2, 9]])).astype(np.float32)
    found, _ = scores(TRAIN, beyond, normalise="rank")
    moved, _ = scores(*(np.float32([1, 64, 1 / 64]) * rows for rows in (TRAIN, beyond)), normalise="rank")
    np.testing.assert_allclose(moved, found, rtol=1e-6)
    assert (found > 1).all()
    assert (found < 1 + 1 / len(TRAIN)).all()


def test_training_scores_are_combined_in_the_same_way():
    found, scorer = scores(TRAIN, TRAIN, combine="maximum")
    np.testing.assert_array_equal(scorer.training_scores(), found)


def test_a_member_whose_training_scores_are_all_the_same_is_noted():
    train = TRAIN.copy()
    train[:, 1] = 7
    found, scorer = scores(train, TEST)
    assert np.isfinite(found).all()
    assert "member 2" in scorer.notes[0]


def test_training_scores_that_differ_by_rounding_only_have_no_deviation():
    train = TRAIN.copy()
    train[:, 1] = np.float32(7)
    train[::2, 1] = np.nextafter(np.float32(7), np.float32(8))
    found, scorer = scores(train, TEST)
    assert "member 2" in scorer.notes[0]
    np.testing.assert_allclose(found, scores(np.where([0, 1, 0], np.float32(7), train), TEST)[0], atol=1e-5)
