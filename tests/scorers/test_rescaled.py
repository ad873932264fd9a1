"""Distances rescaled by density, and band memories, against the definitions written out loop by loop."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from labelled_clips import source_then_target
from scipy.spatial.distance import cdist

import asdbench
from asdbench.registry import load_catalog
from asdbench.scorers.base import ScorerError
from asdbench.scorers.rescaled import RescaledBank

RNG = np.random.default_rng(3)
TRAIN, TEST = RNG.normal(size=(30, 3, 5)) + 1, RNG.normal(size=(8, 3, 5)) + 1
HOWS = ["ratio", "difference", "varmin"]


def cosine(one, other):
    return (1 - one @ other / np.linalg.norm(one) / np.linalg.norm(other)) / 2


def euclidean(one, other):
    return float(np.linalg.norm(one - other))


def by_hand(query, rows, how, k, distance=cosine):
    """Rescaled distances of one query to all rows, smallest first."""
    count = len(rows)
    k_taken = min(k, count - 1)
    among = [[distance(rows[i], rows[j]) for j in range(count) if j != i] for i in range(count)]
    others = [[j for j in range(count) if j != i] for i in range(count)]
    b = [sum(sorted(among[i])[:k_taken]) / k_taken if k_taken else 0.0 for i in range(count)]
    to = [distance(query, row) for row in rows]
    if how == "none" or not k_taken:
        return sorted(to)
    if how == "ratio":
        return sorted(d / (k * density) for d, density in zip(to, b, strict=True))
    alpha = 1.0
    if how == "varmin":
        nearest = [int(np.argmin(one)) for one in among]
        d = [among[i][nearest[i]] for i in range(count)]
        of_nearest = [b[others[i][nearest[i]]] for i in range(count)]
        variance = np.var(of_nearest)
        alpha = np.cov(d, of_nearest, bias=True)[0, 1] / variance if variance > 1e-18 else 0.0
    return sorted(one - alpha * density for one, density in zip(to, b, strict=True))


@pytest.mark.parametrize("how", ["none", *HOWS])
def test_beam_is_the_mean_over_bands_of_the_smallest_distance(how):
    scorer = asdbench.build("beam", rescale=how).fit(TRAIN.astype(np.float32))
    rows, queries = TRAIN.astype(np.float32).astype(float), TEST.astype(np.float32).astype(float)
    bands = [[by_hand(query[band], rows[:, band], how, 4)[0] for band in range(3)] for query in queries]
    assert np.allclose(scorer.score(TEST.astype(np.float32)), np.mean(bands, axis=1), rtol=1e-6)
    one = asdbench.build("beam", rescale=how).fit(TRAIN[:, 0])
    assert np.allclose(one.score(TEST[:, 0]), [by_hand(query, TRAIN[:, 0], how, 4)[0] for query in TEST[:, 0]])
    assert scorer.notes == []


def test_varmin_makes_the_variance_of_the_rows_own_scores_the_smallest():
    """d - alpha b, with d and b of the nearest other row, varies more for any other alpha."""
    rows = RNG.normal(size=(40, 3)) * np.linspace(0.1, 3, 40)[:, None]
    among = cdist(rows, rows)
    np.fill_diagonal(among, np.inf)
    nearest, density = among.argmin(axis=1), np.sort(among, axis=1)[:, :4].mean(axis=1)
    divisors, offsets = RescaledBank(rows, 1, "euclidean", "varmin", 4).terms()
    alpha = offsets / density
    assert np.allclose(alpha, alpha[0])
    assert np.all(divisors == 1)
    variances = [np.var(among.min(axis=1) - a * density[nearest]) for a in alpha[0] + np.array([0, -0.01, 0.01])]
    assert variances[0] == min(variances)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(2, 12),
    k=st.integers(1, 14),
    seed=st.integers(0, 99),
    how=st.sampled_from(HOWS),
    metric=st.sampled_from(["euclidean", "cosine"]),
)
@example(count=3, k=4, seed=1, how="varmin", metric="euclidean")
def test_scores_of_training_rows_are_those_of_banks_fitted_without_them(count, k, seed, how, metric):
    rng = np.random.default_rng(seed)
    ties = rng.choice(64, size=(count, 1), replace=False) + np.array([0.5, 7.0, 3.0])
    rows = rng.normal(size=(count, 3)) if seed % 2 else ties
    if how == "varmin" and not seed % 2:
        rows = rows + rng.normal(size=rows.shape)  # of several nearest rows any may count
    if count == 2 and how == "ratio":
        assert np.isinf(RescaledBank(rows, 1, metric, how, k).distances_within()).all()
        return
    bank = RescaledBank(rows, 1, metric, how, k)
    bank.floor = 0.0
    within = bank.distances_within()[:, 0]
    for place in range(count):
        rest = RescaledBank(np.delete(rows, place, axis=0), 1, metric, how, k)
        rest.floor = 0.0
        assert np.isclose(within[place], rest.distances(rows[place : place + 1])[0, 0], rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("how", HOWS)
def test_nearest_neighbours_are_those_of_the_rescaled_distances(how):
    rows, queries = TRAIN[:, 0], TEST[:, 0]
    by_row = np.array([by_hand(query, rows, how, 3, euclidean) for query in queries])
    knn = asdbench.build("knn", n_neighbors=2, method="mean", rescale=how, rescale_k=3).fit(rows)
    assert np.allclose(knn.score(queries), by_row[:, :2].mean(axis=1))
    clips = source_then_target(22, 8)
    domains = asdbench.build("knn-domains", n_neighbors_target=2, rescale=how, rescale_k=3).fit(rows, clips)
    parts = [[by_hand(query, part, how, 3, euclidean) for query in queries] for part in (rows[:22], rows[22:])]
    expected = np.minimum(np.array(parts[0])[:, 0], np.array(parts[1])[:, :2].mean(axis=1))
    assert np.allclose(domains.score(queries), expected)
    density = asdbench.build("knn-ldn", n_neighbors=3, rescale=how).fit(rows)
    assert np.allclose(density.score(queries), by_row[:, 0])


def test_the_rescaling_of_knn_by_a_ratio_is_local_density_normalisation():
    rows, queries = TRAIN[:, 0], TEST[:, 0]
    ratio = asdbench.build("knn", n_neighbors=1, rescale="ratio", rescale_k=16).fit(rows)
    assert np.array_equal(ratio.score(queries), asdbench.build("knn-ldn").fit(rows).score(queries))


@pytest.mark.parametrize("how", ["none", *HOWS])
def test_one_clip_and_equal_clips_leave_distances_as_they_are(how):
    plain = asdbench.build("beam").fit(TRAIN[:1]).score(TEST)
    for rows in (TRAIN[:1], np.repeat(TRAIN[:1], 6, axis=0)):
        scorer = asdbench.build("beam", rescale=how).fit(rows)
        assert np.allclose(scorer.score(TEST), plain * (2 if how == "ratio" else 1))
    assert asdbench.build("beam", rescale=how).fit(TRAIN[:1]).training_scores() is None
    few = asdbench.build("beam", rescale=how).fit(TRAIN[:3])
    assert few.notes == (
        [] if how == "none" else ["the band bank has 3 clips; 2 neighbours are taken, not 4, for the density"]
    )


def test_a_band_too_few_is_refused():
    with pytest.raises(ScorerError, match="fitted to 3 bands; these embeddings have 2"):
        asdbench.build("beam").fit(TRAIN).score(TEST[:, :2])


@pytest.mark.parametrize("name", ["knn", "knn-domains", "knn-smote", "knn-ldn", "beam"])
def test_without_rescaling_identities_are_those_of_before(name):
    component = load_catalog().component("scorers", name, {})
    assert not {"rescale", "rescale_k"} & set(component.identity()["params"])
    assert load_catalog().component("scorers", name, {"rescale": "varmin"}).identity()["params"]["rescale"] == "varmin"
