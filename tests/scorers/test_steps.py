"""Steps against scikit-learn and against their formulas."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

import asdbench
from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.base import ScorerError
from asdbench.scorers.out_of_fold import held_out_scores

RANDOM = np.random.default_rng(0)
MIXED = RANDOM.standard_normal((6, 6)) * np.array([5, 3, 2, 1, 0.5, 0.2])[:, None]
TRAIN = (RANDOM.standard_normal((60, 6)) @ MIXED + 4).astype(np.float32)
TEST = (RANDOM.standard_normal((25, 6)) @ MIXED + 4).astype(np.float32)


def clips_of(domains):
    return [TrainingClip(str(n), "fan", "00", domain, ()) for n, domain in enumerate(domains)]


def scores(name, train, test, clips=None, **params):
    scorer = asdbench.build(name, kind="scorers", **params)
    scorer.fit(train, clips or clips_of(["source"] * len(train)))
    return scorer.score(test)


@pytest.mark.parametrize("variance", [0.8, 0.95])
def test_whitening_is_that_of_scikit_learn(variance):
    pca = PCA(n_components=variance, whiten=True).fit(TRAIN.astype(float))
    nearest = np.sort(cdist(pca.transform(TEST.astype(float)), pca.transform(TRAIN.astype(float))), axis=1)[:, 4]
    np.testing.assert_allclose(scores("whiten+knn", TRAIN, TEST, **{"whiten.variance": variance}), nearest, rtol=1e-5)


def test_distances_of_whitened_embeddings_are_mahalanobis_distances():
    covariance = np.cov(TRAIN.astype(float), rowvar=False)
    expected = np.sort(cdist(TEST, TRAIN, "mahalanobis", VI=np.linalg.inv(covariance)), axis=1)[:, 4]
    np.testing.assert_allclose(scores("whiten+knn", TRAIN, TEST, **{"whiten.variance": 1.0}), expected, rtol=1e-4)


def test_with_fewer_clips_than_dimensions_only_what_they_span_is_kept():
    rows = RANDOM.standard_normal((8, 20)).astype(np.float32)
    found = scores("whiten+knn", rows, rows, **{"whiten.variance": 1.0, "n_neighbors": 2})
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, np.sqrt(2 * 7), rtol=1e-4)  # whitened points of a simplex are equally far apart


def test_whitening_refuses_what_is_no_number():
    spoilt = TRAIN.copy()
    spoilt[3, 1] = np.nan
    with pytest.raises(ScorerError, match="whitening was given embeddings that are not numbers"):
        scores("whiten+knn", spoilt, TEST)
    with pytest.raises(ScorerError, match="whitening was given embeddings that are not numbers"):
        scores("whiten+knn", TRAIN, spoilt)


def test_unit_length_leaves_directions():
    cosine = np.sort(cdist(TEST, TRAIN, "cosine"), axis=1)[:, 4]
    found = scores("unit-length+knn", TRAIN, TEST)
    np.testing.assert_allclose(found, np.sqrt(2 * cosine), rtol=1e-4)
    np.testing.assert_allclose(scores("unit-length+knn", TRAIN, 7 * TEST), found, rtol=1e-5)
    assert np.isfinite(scores("unit-length+knn", TRAIN, np.zeros((1, 6), np.float32))).all()


def by_hand(train, test, domains, k, standardise=True):
    """The smaller of both domains' distances to the k-th nearest, in units of leave-one-out training distances."""
    found = []
    for domain in sorted(set(domains)):
        own = train[np.array(domains) == domain]
        within = np.sort(cdist(own, own), axis=1)[:, k]  # the nearest is the row itself
        mean, deviation = (within.mean(), within.std()) if standardise else (0.0, 1.0)
        found.append((np.sort(cdist(test, own), axis=1)[:, k - 1] - mean) / deviation)
    return np.min(found, axis=0)


@pytest.mark.parametrize("standardise", [True, False])
def test_a_scorer_for_each_domain(standardise):
    domains = ["source"] * 50 + ["target"] * 10
    given = {"n_neighbors": 2, "by-domain.standardise": standardise}
    found = scores("by-domain+knn", TRAIN, TEST, clips_of(domains), **given)
    np.testing.assert_allclose(found, by_hand(TRAIN, TEST, domains, 2, standardise), rtol=1e-5)


def test_of_one_domain_the_order_stays():
    alone = scores("knn", TRAIN, TEST)
    for domains in (["source"] * 60, [None] * 60):
        np.testing.assert_array_equal(
            np.argsort(scores("by-domain+knn", TRAIN, TEST, clips_of(domains))), np.argsort(alone)
        )


def test_a_domain_with_too_few_clips_is_left_out_and_noted():
    clips = clips_of(["source"] * 57 + ["target"] * 3)
    scorer = asdbench.build("by-domain+knn", kind="scorers")
    scorer.fit(TRAIN, clips)
    assert any("target domain is left out" in note for note in scorer.notes)
    with pytest.raises(ScorerError, match="by-domain could fit no domain"):
        asdbench.build("by-domain+knn", kind="scorers").fit(TRAIN[:4], clips_of(["source"] * 2 + ["target"] * 2))


def distances_unseen(rows, groups):
    """Of each row by Ledoit and Wolf's covariance of the rows of other groups."""
    found = np.empty(len(rows))
    for group in set(groups):
        inside = np.array(groups) == group
        found[inside] = np.sqrt(LedoitWolf().fit(rows[~inside]).mahalanobis(rows[inside]))
    return found


@pytest.mark.parametrize("targets", [10, 8, 3])
def test_units_are_scores_of_clips_that_were_not_seen(targets):
    """Of five folds; of one clip at a time where there are fewer than two a fold."""
    rows = RANDOM.standard_normal((30 + targets, 20)).astype(np.float32)
    test = RANDOM.standard_normal((9, 20)).astype(np.float32)
    expected = []
    for own in (rows[:30].astype(float), rows[30:].astype(float)):
        groups = np.arange(len(own)) % (5 if len(own) >= 10 else len(own))
        unseen = distances_unseen(own, groups)
        score = np.sqrt(LedoitWolf().fit(own).mahalanobis(test.astype(float)))
        expected.append((score - unseen.mean()) / unseen.std())
    clips = clips_of(["source"] * 30 + ["target"] * targets)
    np.testing.assert_allclose(
        scores("by-domain+mahalanobis-lw", rows, test, clips), np.min(expected, axis=0), rtol=1e-6
    )


@pytest.mark.parametrize("name", ["mahalanobis-lw", "mahalanobis-ml", "residual-subspace", "whiten+knn"])
def test_ten_target_clips_give_training_scores_like_those_of_new_clips(name):
    """Folds hold eight of them: units from eight clips' in-sample scores would be of another kind altogether."""
    random = np.random.default_rng(1)

    def drawn():
        return np.concatenate(
            [random.standard_normal((90, 30)), 1.5 * random.standard_normal((10, 30)) + 1], dtype=np.float32
        )

    def fitted(rows, clips):
        scorer = asdbench.build(f"by-domain+{name}", kind="scorers")
        scorer.fit(rows, clips)
        return scorer

    rows, clips = drawn(), clips_of(["source"] * 90 + ["target"] * 10)
    scorer = fitted(rows, clips)
    own, fresh = held_out_scores(scorer, rows, clips, fitted), scorer.score(drawn())
    assert 0.35 < np.mean(own[:, None] < fresh) < 0.65
    assert np.ptp(own) < 3 * np.ptp(fresh)


def test_scores_that_differ_by_rounding_only_are_no_unit():
    rows = RANDOM.standard_normal((22, 30)).astype(np.float32)
    scorer = asdbench.build("by-domain+mahalanobis-ml", kind="scorers")
    scorer.fit(rows, clips_of(["source"] * 20 + ["target"] * 2))
    assert any("units of the target domain are scores of clips that the scorer has seen" in one for one in scorer.notes)
    assert any("target domain is left out" in note and "all the same" in note for note in scorer.notes)


def test_seed_reaches_the_scorer_and_its_notes_come_out():
    wide = RANDOM.standard_normal((20, 40)).astype(np.float32)
    scorer = asdbench.build("unit-length+mahalanobis-ml", kind="scorers")
    scorer.fit(wide, clips_of(["source"] * 20))
    assert any("singular" in note for note in scorer.notes)
    found = []
    for seed in (1, 1, 2):
        scorer = asdbench.build("whiten+by-domain+pyod:IForest", kind="scorers", n_estimators=5)
        scorer.seed = seed
        scorer.fit(TRAIN, clips_of(["source"] * 40 + ["target"] * 20))
        found.append(scorer.score(TEST))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize(("how", "joined"), [("row", lambda x: x.reshape(len(x), 6)), ("mean", lambda x: x.mean(1))])
def test_bands_become_one_vector_where_that_is_asked_for(how, joined):
    train, test = TRAIN.reshape(-1, 3, 2), TEST.reshape(-1, 3, 2)
    found = scores("join-bands+knn", train, test, **{"join-bands.how": how})
    np.testing.assert_allclose(found, scores("knn", joined(train), joined(test)), rtol=1e-6)
    np.testing.assert_array_equal(
        asdbench.scorer("join-bands+knn", **{"join-bands.how": how}).fit(train).training_scores,
        asdbench.scorer("knn").fit(joined(train)).training_scores,
    )
    with pytest.raises(ScorerError, match=r"knn takes one vector a clip.*\(60, 3, 2\)\.\n.*--scorer join-bands\+knn"):
        scores("knn", train, test)


def test_bands_reach_the_scorer_behind_by_domain():
    clips = clips_of(["source"] * 40 + ["target"] * 20)
    flat = scores("by-domain+knn", TRAIN, TEST, clips)
    bands = scores("by-domain+join-bands+knn", TRAIN.reshape(-1, 3, 2), TEST.reshape(-1, 3, 2), clips)
    np.testing.assert_allclose(bands, flat, rtol=1e-6)
