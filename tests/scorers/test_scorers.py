import numpy as np
import pytest
from pyod.models.gmm import GMM
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from sklearn.covariance import EllipticEnvelope

import asdbench
from asdbench.scorers.base import ScorerError

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(6, 6))
TRAIN = (RNG.normal(size=(80, 6)) @ MIXING).astype(np.float32)
TEST = (RNG.normal(size=(30, 6)) @ MIXING * 1.5).astype(np.float32)


def scored(name, train=TRAIN, test=TEST, **params):
    scorer = asdbench.build(name, kind="scorers", **params)
    scorer.fit(train, [])
    return scorer, scorer.score(test)


def textbook(train, test, inverse=np.linalg.inv, shrink=0.0):
    train, test = train.astype(float), test.astype(float)
    mean = train.sum(axis=0) / len(train)
    covariance = sum(np.outer(row - mean, row - mean) for row in train) / len(train)
    precision = inverse(covariance)
    return np.array([np.sqrt((row - mean) @ precision @ (row - mean)) for row in test])


def test_maximum_likelihood_is_the_textbooks_formula():
    scorer, scores = scored("mahalanobis-ml")
    assert scores.dtype == np.float64
    assert np.allclose(scores, textbook(TRAIN, TEST), rtol=1e-9)
    assert scorer.notes == []


def test_fewer_clips_than_dimensions_take_the_pseudo_inverse_and_say_so():
    train, test = RNG.normal(size=(10, 25)).astype(np.float32), RNG.normal(size=(7, 25)).astype(np.float32)
    scorer, scores = scored("mahalanobis-ml", train, test)
    assert np.allclose(scores, textbook(train, test, lambda c: np.linalg.pinv(c, rcond=1e-10)), rtol=1e-6)
    (note,) = scorer.notes
    assert "10 training clips in 25 dimensions is singular (rank 9)" in note
    assert scored("mahalanobis-lw", train, test)[0].notes == []


def test_ledoit_and_wolfs_shrinkage_written_out():
    rows = TRAIN.astype(float)
    n, p = rows.shape
    centred = rows - rows.mean(axis=0)
    sample = centred.T @ centred / n
    mu = np.trace(sample) / p
    delta = np.sum((sample - mu * np.eye(p)) ** 2) / p
    beta = sum(np.sum((np.outer(row, row) - sample) ** 2) for row in centred) / n**2 / p
    shrinkage = min(beta, delta) / delta
    covariance = (1 - shrinkage) * sample + shrinkage * mu * np.eye(p)
    offset = TEST.astype(float) - rows.mean(axis=0)
    expected = np.sqrt(np.einsum("ij,jk,ik->i", offset, np.linalg.inv(covariance), offset))
    assert np.allclose(scored("mahalanobis-lw")[1], expected, rtol=1e-9)


def test_elliptic_envelope_is_not_moved_by_a_few_strays():
    strays = np.concatenate([TRAIN, np.full((8, 6), 60, np.float32)])
    point = np.full((1, 6), 60, np.float32)
    clean, robust = (scored("elliptic-envelope", train, point)[1][0] for train in (TRAIN, strays))
    moved = scored("mahalanobis-ml", strays, point)[1][0]
    assert robust > 0.5 * clean
    assert moved < 0.3 * clean


@pytest.mark.filterwarnings("ignore:Determinant has increased:RuntimeWarning")
def test_elliptic_envelope_says_when_its_support_leaves_nothing_out():
    train, test = RNG.normal(size=(10, 25)).astype(np.float32), RNG.normal(size=(7, 25)).astype(np.float32)
    scorer, scores = scored("elliptic-envelope", train, test)
    theirs = np.sqrt(EllipticEnvelope(random_state=0).fit(train.astype(float)).mahalanobis(test.astype(float)))
    assert np.ptp(scores / theirs) < 1e-6, "scikit-learn's search comes to the same, but for a factor"
    assert "all 10 of them" in scorer.notes[-1]
    assert scorer.training_scores() is None
    assert scored("elliptic-envelope")[0].notes == []


@pytest.mark.parametrize("method", ["largest", "mean", "median"])
def test_knn_scores_as_pyods(method):
    theirs = KNN(n_neighbors=5, method=method).fit(TRAIN.astype(float))
    scorer, scores = scored("knn", method=method)
    assert np.allclose(scores, theirs.decision_function(TEST.astype(float)))
    assert np.allclose(scorer.training_scores(), theirs.decision_scores_)
    assert np.allclose(scored("pyod:KNN", method=method)[1], scores)


@pytest.mark.parametrize("metric", ["manhattan", "cosine"])
def test_knn_by_other_metrics_scores_as_pyods(metric):
    theirs = KNN(n_neighbors=5, metric=metric).fit(TRAIN.astype(float))
    scorer, scores = scored("knn", metric=metric)
    assert np.allclose(scores, theirs.decision_function(TEST.astype(float)))
    assert np.allclose(scorer.training_scores(), theirs.decision_scores_)


def test_knn_refuses_what_is_not_a_number():
    spoilt = TEST.copy()
    spoilt[3, 1] = np.nan
    with pytest.raises(ScorerError, match="not numbers"):
        scored("knn", test=spoilt)


def test_lof_scores_as_pyods():
    theirs = LOF(n_neighbors=20, metric="euclidean").fit(TRAIN.astype(float))
    scorer, scores = scored("lof")
    assert np.allclose(scores, theirs.decision_function(TEST.astype(float)))
    assert np.allclose(scorer.training_scores(), theirs.decision_scores_)


def test_gmm_of_one_full_component_is_the_gaussian_density():
    _, scores = scored("gmm", n_components=1, covariance="full", reg_covar=0.0)
    rows = TRAIN.astype(float)
    covariance = np.cov(rows.T, bias=True)
    distance = textbook(TRAIN, TEST) ** 2
    expected = 0.5 * (distance + np.linalg.slogdet(2 * np.pi * covariance)[1])
    assert np.allclose(scores, expected, rtol=1e-6)
    theirs = GMM(n_components=1, reg_covar=0.0).fit(rows).decision_function(TEST.astype(float))
    assert np.array_equal(np.argsort(scores), np.argsort(theirs))


def test_identity_passes_on_one_column_only():
    assert np.array_equal(scored("identity", TRAIN[:, :1], TEST[:, :1])[1], TEST[:, 0].astype(float))
    with pytest.raises(ScorerError, match="6 dimensions"):
        scored("identity")


def test_random_is_chance_and_follows_the_seed():
    many = np.zeros((4000, 1), np.float32)
    scores = scored("random", many, many)[1]
    assert abs(scores.mean() - 0.5) < 0.02
    scorer = asdbench.build("random")
    scorer.seed = 1
    assert not np.array_equal(scorer.score(many), scores)


@pytest.mark.parametrize(("name", "clips"), [("knn", 5), ("lof", 20), ("gmm", 2)])
def test_too_few_clips_are_refused_with_a_way_out(name, clips):
    with pytest.raises(
        ScorerError, match=f"{name} needs at least {clips + 1} training clips; there are {clips}.*-p {name}"
    ):
        scored(name, TRAIN[:clips])


def test_fewer_clips_than_neighbours_are_refused_in_our_words_for_the_libraries_too():
    with pytest.raises(ScorerError, match=r"pyod:KNN needs at least 6 training clips; there are 4\..*n_neighbors=3"):
        scored("pyod:KNN", TRAIN[:4])
    with pytest.raises(ScorerError, match=r"sklearn:neighbors.* needs at least 21 .* -p scorer\.n_neighbors=9"):
        scored("sklearn:neighbors.LocalOutlierFactor", TRAIN[:10])


@pytest.mark.parametrize("name", ["mahalanobis-ml", "mahalanobis-lw", "elliptic-envelope"])
def test_a_covariance_of_one_clip_or_of_equal_clips_is_refused(name):
    with pytest.raises(ScorerError, match="a covariance needs at least 2 training clips; there is 1"):
        scored(name, TRAIN[:1])
    with pytest.raises(ScorerError, match="all 9 training clips have the same embedding"):
        scored(name, np.tile(TRAIN[:1], (9, 1)))


@pytest.mark.parametrize(
    "name", ["mahalanobis-ml", "mahalanobis-lw", "elliptic-envelope", "knn", "lof", "gmm", "pyod:KNN"]
)
def test_a_feature_without_variance_leaves_scores_finite(name):
    train, test = TRAIN.copy(), TEST.copy()
    train[:, 2] = test[:, 2] = 3.0
    scorer, scores = scored(name, train, test)
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) == len(test)
    if name in ("mahalanobis-ml", "elliptic-envelope"):
        assert "is singular (rank 5); its pseudo-inverse is used" in scorer.notes[0]


@pytest.mark.parametrize("name", ["pyod:IForest", "sklearn:svm.OneClassSVM", "sklearn:neighbors.LocalOutlierFactor"])
def test_detectors_of_the_libraries_call_strays_anomalous(name):
    _, scores = scored(name, test=np.concatenate([TRAIN[:20], TRAIN[:20] + 40]))
    assert scores[20:].min() > np.median(scores[:20])


def test_parameters_reach_the_librarys_detector():
    assert len(scored("pyod:IForest", n_estimators=7)[0]._model.estimators_) == 7
    assert scored("sklearn:svm.OneClassSVM", nu=0.2)[0]._model.nu == 0.2
