import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_clips import labelled
from sklearn.metrics.pairwise import cosine_distances

from asdbench.scorers.bank import Bank
from asdbench.scorers.domains import in_order, one_domain_note, places_by_domain, source_and_target
from asdbench.scorers.standard import Standard, standards

RNG = np.random.default_rng(1)


def test_cosine_distances_are_scikit_learns():
    rows, queries = RNG.normal(size=(30, 5)), RNG.normal(size=(7, 5)).astype(np.float32)
    queries[2] = 0
    expected = np.sort(cosine_distances(queries.astype(float), rows), axis=1)[:, :4].mean(axis=1)
    assert np.allclose(Bank(rows, 4, "cosine").distances(queries), expected, rtol=1e-12)
    assert expected[2] == 1


def test_two_rows_without_direction_are_the_same():
    assert Bank(np.zeros((2, 3)), 1, "cosine").distances_within().tolist() == [0, 0]


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 12),
    k=st.integers(1, 15),
    seed=st.integers(0, 99),
    metric=st.sampled_from(["euclidean", "cosine"]),
)
def test_a_row_among_the_others_is_scored_as_by_a_bank_without_it(count, k, seed, metric):
    rows = np.random.default_rng(seed).integers(1, 4, (count, 3)).astype(float)
    bank = Bank(rows, k, metric)
    within = bank.distances_within()
    if count == 1:
        assert within.tolist() == [np.inf]
        return
    for place in range(count):
        rest = Bank(np.delete(rows, place, axis=0), k, metric)
        rest.k = min(k, count - 1)
        assert np.isclose(within[place], rest.distances(rows[place : place + 1])[0], rtol=1e-9, atol=1e-12)


def test_banks_of_domains_and_of_clips_without_one():
    clips = labelled(["target", None, "source", "", "target"])
    found = {name: places.tolist() for name, places in places_by_domain(clips).items()}
    assert found == {"source": [2], "target": [0, 4], "unknown": [1, 3]}
    source, target = source_and_target(np.arange(5.0)[:, None], clips)
    assert source.ravel().tolist() == [1, 2, 3]
    assert target.ravel().tolist() == [0, 4]
    assert one_domain_note(places_by_domain(clips)) == []
    assert "have no domain" in one_domain_note(places_by_domain(labelled([None, ""])))[0]
    assert "of the target domain" in one_domain_note(places_by_domain(labelled(["target"])))[0]


def test_an_order_of_their_own():
    rows = RNG.normal(size=(20, 3)).astype(np.float32)
    assert np.array_equal(in_order(rows), in_order(rows[RNG.permutation(20)]))
    assert np.array_equal(np.sort(in_order(rows), axis=0), np.sort(rows, axis=0))


def test_standards_are_mean_and_deviation_of_each_bank():
    within = {"source": np.array([1.0, 2.0, 6.0]), "target": np.array([4.0, 8.0])}
    found, notes = standards(within, "z-score")
    assert found == {"source": Standard(3.0, np.std([1, 2, 6])), "target": Standard(6.0, 2.0)}
    assert notes == []
    shared, _ = standards(within, "target-deviation")
    assert shared == {"source": Standard(3.0, 2.0), "target": Standard(6.0, 2.0)}
    assert standards(within, "none")[0]["target"](np.array([7.0])) == [7.0]


@pytest.mark.parametrize("how", ["z-score", "target-deviation"])
def test_what_a_small_bank_lacks_is_the_largest_ones(how):
    source = np.array([1.0, 2.0, 6.0])
    found, (note,) = standards({"source": source, "target": np.array([np.inf])}, how)
    assert found["target"] == found["source"] == Standard(3.0, np.std(source))
    assert "target bank is a single clip" in note
    found, (note,) = standards({"source": source, "target": np.array([5.0, 5.0])}, how)
    assert found["target"] == Standard(5.0, np.std(source))
    assert "the 2 clips of the target bank" in note
    found, (note,) = standards({"unknown": np.array([5.0, 5.0])}, how)
    assert found["unknown"] == Standard(5.0, 1.0)
    assert "not scaled" in note


def test_of_several_banks_the_largest_one_lends():
    within = {"source": np.array([1.0, 3.0]), "target": np.array([np.inf]), "unknown": np.array([2.0, 4.0, 9.0])}
    found, _ = standards(within, "z-score")
    assert found["target"] == found["unknown"] == Standard(5.0, np.std([2, 4, 9]))
    assert found["source"] == Standard(2.0, 1.0)
