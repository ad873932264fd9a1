"""An ensemble as it is judged without labels, fitted to side-by-side embeddings."""

from types import SimpleNamespace

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from asdbench.datasets import TrainingClip
from asdbench.harness.ensemble import FittedEnsemble
from asdbench.registry import load_catalog


def test_an_ensemble_is_what_its_members_give_normalised_by_scores_of_clips_they_have_not_seen():
    drawn = np.random.default_rng(0)
    near, wide = drawn.normal(size=(40, 2)), drawn.normal(size=(40, 5)) * 3
    found, found_wide = drawn.normal(size=(7, 2)) * 2, drawn.normal(size=(7, 5)) * 5
    catalog = load_catalog(())

    def scorer(name, **params):
        return catalog.component("scorers", name).altered(params)

    members = [SimpleNamespace(scorer=one) for one in (scorer("knn", n_neighbors=1), scorer("mahalanobis-lw"))]
    cell = SimpleNamespace(members=members, scorer=scorer("ensemble"), seed=0)
    clips = [TrainingClip(str(number), "fan", "00", "source", ()) for number in range(40)]
    rows = np.concatenate([near, wide], axis=1).astype(np.float32)
    together = FittedEnsemble(cell, "fan", "00", [2, 5], rows, clips)
    scores = together.score(np.concatenate([found, found_wide], axis=1).astype(np.float32))

    neighbours = NearestNeighbors(n_neighbors=2).fit(near)
    trained = neighbours.kneighbors(near)[0][:, 1]
    first = (neighbours.kneighbors(found)[0][:, 0] - trained.mean()) / trained.std()
    held_out = np.empty(40)
    for fold in range(5):
        own = np.arange(40) % 5 == fold
        held_out[own] = np.sqrt(LedoitWolf().fit(wide[~own]).mahalanobis(wide[own]))
    distances = np.sqrt(LedoitWolf().fit(wide).mahalanobis(found_wide))
    second = (distances - held_out.mean()) / held_out.std()
    assert np.allclose(scores, (first + second) / 2, rtol=1e-4)
