import numpy as np
import pytest
from labelled_clips import source_then_target
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import asdbench
from asdbench.scorers.base import ScorerError

RNG = np.random.default_rng(8)
TRAIN = (RNG.normal(size=(50, 3)) @ RNG.normal(size=(3, 8)) + 0.3 * RNG.normal(size=(50, 8))).astype(np.float32)
TEST = RNG.normal(size=(20, 8)).astype(np.float32)


def fitted(train=TRAIN, **params):
    scorer = asdbench.build("residual-subspace", kind="scorers", **params)
    scorer.fit(train, source_then_target(len(train), 0))
    return scorer


@pytest.mark.parametrize("scale", ["none", "deviation"])
@pytest.mark.parametrize(
    ("params", "theirs"),
    [({"n_components": 2}, 2), ({"explained_variance": 0.8}, 0.8), ({"explained_variance": 0.97}, 0.97)],
)
def test_residuals_are_scikit_learns(params, theirs, scale):
    train, test = TRAIN.astype(float), TEST.astype(float)
    if scale == "deviation":
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
    pca = PCA(theirs, svd_solver="full").fit(train)
    expected = np.linalg.norm(test - pca.inverse_transform(pca.transform(test)), axis=1)
    scorer = fitted(scale=scale, **params)
    assert np.allclose(scorer.score(TEST), expected, rtol=1e-9)
    assert scorer.training_scores() is None
    assert scorer.notes == []


def test_what_lies_in_the_subspace_is_normal_however_far():
    axis = PCA(1).fit(TRAIN.astype(float))
    along = axis.mean_ + 100 * axis.components_
    across = PCA(8).fit(TRAIN.astype(float)).components_[-1:] + axis.mean_
    scores = fitted(n_components=1).score(np.concatenate([along, across]))
    assert np.allclose(scores, [0, 1], atol=1e-9)


def test_more_components_than_the_clips_span_are_told():
    train = RNG.normal(size=(5, 20))
    scorer = fitted(train, n_components=9)
    assert "5 training clips span 4 directions" in scorer.notes[0]
    assert np.allclose(scorer.score(train), 0, atol=1e-9)
    assert scorer.score(RNG.normal(size=(3, 20))).min() > 1


def test_a_dimension_without_variance_is_measured_as_it_is():
    train = TRAIN.copy()
    train[:, 2] = 3.0
    off = train[:1].copy()
    off[0, 2] += 7
    plain, moved = fitted(train, scale="deviation").score(np.concatenate([train[:1], off]))
    assert np.isclose(moved**2 - plain**2, 49, rtol=1e-5)


def test_what_leaves_nothing_outside_is_refused():
    with pytest.raises(ScorerError, match=r"8 components .* with 8 dimensions.*-p residual-subspace\.n_components=7"):
        fitted(n_components=8)
    with pytest.raises(ScorerError, match="needs two dimensions"):
        fitted(TRAIN[:, :1])
    with pytest.raises(ScorerError, match="all 50 training clips have the same embedding"):
        fitted(np.tile(TRAIN[:1], (50, 1)))
    scorer = fitted(explained_variance=1.0)
    assert scorer.score(TEST).min() > 0
    assert "takes all 8 dimensions, which leaves nothing outside; 7 components are taken" in scorer.notes[0]
