"""What holds for every scorer that has a card, by whatever method."""

import numpy as np
import pytest
from labelled_clips import labelled

import asdbench
from asdbench.registry import load_catalog
from asdbench.scorers.base import ScorerError

# Scorers of embeddings: the others take columns of scores.
NAMES = [name for name in load_catalog().names("scorers") if name not in ("identity", "ensemble")]
MEASURING = [name for name in NAMES if name != "random"]
DRAWN_BY_PLACE = {"gmm", "elliptic-envelope"}  # libraries that draw among rows as they come
OWN_UNIT = {"gmm"}  # adds a number to the variances
IN_SAMPLE = {"elliptic-envelope"}  # says so

RNG = np.random.default_rng(9)
MIXING = RNG.normal(size=(6, 6))


def normal(count, shift=0.0):
    return (RNG.normal(size=(count, 6)) @ MIXING + 5 + shift).astype(np.float32)


TRAIN = np.concatenate([normal(90), normal(12, 1.5)])
CLIPS = labelled(["source"] * 90 + ["target"] * 12)
FRESH = np.concatenate([normal(90), normal(12, 1.5)])
TEST = np.concatenate([normal(30), normal(10, 1.5), 3 * normal(10)])


def fitted(name, train=TRAIN, clips=CLIPS):
    scorer = asdbench.build(name, kind="scorers")
    scorer.seed = 5
    scorer.fit(train, clips)
    return scorer


@pytest.mark.parametrize("name", [name for name in MEASURING if name not in DRAWN_BY_PLACE])
def test_the_order_of_training_clips_changes_nothing(name):
    order = np.random.default_rng(0).permutation(len(TRAIN))
    plain, shuffled = fitted(name), fitted(name, TRAIN[order], [CLIPS[place] for place in order])
    assert np.allclose(plain.score(TEST), shuffled.score(TEST), rtol=1e-7)
    if plain.training_scores() is not None:
        assert np.allclose(plain.training_scores()[order], shuffled.training_scores(), rtol=1e-7)


@pytest.mark.parametrize("name", MEASURING)
def test_a_clip_is_scored_by_itself(name):
    scorer = fitted(name)
    together = scorer.score(TEST)
    assert together.dtype == np.float64
    assert together.shape == (len(TEST),)
    for place in (0, 33, 49):
        assert np.isclose(scorer.score(TEST[place : place + 1])[0], together[place], rtol=1e-9)
    assert scorer.score(TEST[:0]).shape == (0,) if name not in ("gmm", "lof") else True  # scikit-learn wants a row


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes(name):
    assert fitted(name).score(TEST).tobytes() == fitted(name).score(TEST).tobytes()


@pytest.mark.parametrize("name", [name for name in MEASURING if name not in OWN_UNIT])
def test_the_unit_of_embeddings_does_not_matter(name):
    scores, scaled = fitted(name).score(TEST), fitted(name, TRAIN * 8).score(TEST * 8)
    unit = np.median(scaled) / np.median(scores)
    assert np.isclose(unit, 1, rtol=1e-6) or np.isclose(unit, 8, rtol=1e-6)
    assert np.allclose(scaled, unit * scores, rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in MEASURING if name not in IN_SAMPLE])
def test_training_scores_are_not_flattered(name):
    scorer = fitted(name)
    own, fresh = scorer.training_scores(), scorer.score(FRESH)
    if own is None:
        return
    assert own.shape == (len(TRAIN),)
    below = np.mean(own[:, None] < fresh) + np.mean(own[:, None] == fresh) / 2
    assert 0.4 < below < 0.6, "the part of pairs in which the training clip scores lower is about one half"


@pytest.mark.parametrize("name", MEASURING)
def test_a_stray_is_more_anomalous_than_normal_clips(name):
    stray = -3 * TRAIN.mean(axis=0, keepdims=True)
    scorer = fitted(name)
    assert scorer.score(stray)[0] > scorer.score(FRESH).max()


@pytest.mark.parametrize("name", MEASURING)
def test_clips_of_no_domain_are_scored_too(name):
    for domains in (["", None], ["source", None]):
        scores = fitted(name, clips=labelled(domains * 51)).score(TEST)
        assert np.isfinite(scores).all()
        assert len(np.unique(scores)) > 40


STEPPED = [
    f"{step}+{name}" for step in ("whiten", "unit-length", "by-domain", "calibrate") for name in ("knn-domains", "gmm")
]


@pytest.mark.parametrize("name", ["identity", "ensemble", "pyod:KNN", "sklearn:svm.OneClassSVM", *NAMES, *STEPPED])
def test_plain_arrays_without_clips_are_enough(name):
    """As of clips without a domain, of float64 as of float32, and of lists."""
    train, test = (TRAIN[:, :1], TEST[:, :1]) if name == "identity" else (TRAIN, TEST)
    given = []
    for rows, clips, queries in (
        (train, labelled([None] * len(train)), test),
        (train.astype(np.float64), None, test.tolist()),
    ):
        scorer = asdbench.build(name, kind="scorers")
        assert (scorer.fit(rows) if clips is None else scorer.fit(rows, clips)) is scorer
        given.append(scorer.score(queries))
    assert np.allclose(*given, rtol=1e-5)


@pytest.mark.parametrize("name", ["ensemble", "pyod:KNN", "sklearn:svm.OneClassSVM", *MEASURING])
def test_what_is_not_a_table_of_numbers_is_refused(name):
    spoilt = TRAIN.copy()
    spoilt[3, 2] = np.inf
    for rows, message in ((spoilt, "not numbers"), (TRAIN[:, 0], r"shape \(102,\)")):
        with pytest.raises(ScorerError, match=message):
            asdbench.build(name, kind="scorers").fit(rows, CLIPS)
        with pytest.raises(ScorerError, match=message):
            asdbench.build(name, kind="scorers").fit(TRAIN, CLIPS).score(rows)
