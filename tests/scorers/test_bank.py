import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_clips import labelled
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import cosine_distances
from threadpoolctl import threadpool_limits

from asdbench.scorers import bank
from asdbench.scorers.bank import Bank
from asdbench.scorers.domains import Standard, in_order, one_domain_note, places_by_domain, source_and_target, standards

RNG = np.random.default_rng(1)
DIM = np.arange(1, 65)
DATA = {
    "noise": RNG.standard_normal((150, 40)).astype(np.float32),
    "spectrum of a network": (RNG.standard_normal((150, 64)) / DIM).astype(np.float32),
    "far from zero": (1e4 + RNG.standard_normal((150, 8))).astype(np.float32),
    "tiny": (1e-20 * RNG.standard_normal((150, 8))).astype(np.float32),
    "smaller than single precision squares": (1e-39 * RNG.standard_normal((150, 8))).astype(np.float32),
    "huge": (1e30 * RNG.standard_normal((150, 8))).astype(np.float32),
    "one far away": np.r_[RNG.standard_normal((149, 8)), np.full((1, 8), 1e6)].astype(np.float32),
    "doubled": np.tile(RNG.standard_normal((15, 5)), (10, 1)).astype(np.float32),
    "all the same": np.ones((150, 3), np.float32),
    "all zero": np.zeros((150, 3), np.float32),
    "on a grid, so that many tie": RNG.integers(-1, 2, (150, 4)).astype(np.float32),
    "one dimension": RNG.standard_normal((150, 1)).astype(np.float32),
    # Single precision, and |a|^2 - 2 a.b + |b|^2 even in double, sees no difference within a cluster.
    "narrow clusters far apart": np.repeat(1000 * RNG.standard_normal((10, 16)), 15, axis=0)
    + 1e-4 * RNG.standard_normal((150, 16)),
    "rounding noise around ten points": np.nextafter(
        np.repeat(RNG.standard_normal((10, 30)), 15, axis=0).astype(np.float32),
        np.where(RNG.random((150, 30)) < 0.5, -9, 9).astype(np.float32),
    ),
}


def nearest(queries, rows, k, metric="euclidean", itself=False):
    distances = cdist(queries.astype(np.float64), rows.astype(np.float64), metric)
    if itself:
        np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :k]


SETTINGS = {
    "one block": {},
    "small blocks": {"PRODUCTS": 9000, "MEASURED": 100, "BLOCK": 64},
    "bounds of few axes": {"MANY": 100, "EXPLAINED": 0.3, "PRODUCTS": 9000, "WORTH": 1.0},
}


@pytest.mark.parametrize("name", DATA)
def test_distances_are_those_of_the_definition_in_double_precision(name, monkeypatch):
    rows = DATA[name]
    queries = np.concatenate([rows[:20], rows[20:60] * rows.dtype.type(1.25), rows[60:70] * rows.dtype.type(-1000)])
    of_queries, of_rows = nearest(queries, rows, 149), nearest(rows, rows, 149, itself=True)
    for setting, values in SETTINGS.items():
        with monkeypatch.context() as patch:
            for constant, value in values.items():
                patch.setattr(bank, constant, value)
            for k in (1, 7, 149):
                found = Bank(rows, k, "euclidean")
                # Summed in another order: as near as float64 sums are.
                assert np.allclose(found.distances(queries), of_queries[:, :k], rtol=1e-13, atol=0), (setting, k)
                assert np.allclose(found.distances_within(), of_rows[:, :k], rtol=1e-13, atol=0), (setting, k)


@pytest.mark.parametrize("name", DATA)
def test_cosine_distances_of_nearly_equal_directions_are_exact(name):
    rows = DATA[name].astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.column_stack([rows / np.where(lengths, lengths, 1), lengths == 0])  # no direction: at distance 1
    within = Bank(rows, 5, "cosine").distances_within()
    assert np.allclose(within, nearest(unit, unit, 5, itself=True) ** 2 / 2, rtol=1e-9, atol=1e-30)
    if len(rows := rows[lengths[:, 0] > 0]):
        found = Bank(rows, 5, "cosine").distances(rows[:40])
        assert np.allclose(found, nearest(rows[:40], rows, 5, "cosine"), rtol=0, atol=1e-14)


def test_manhattan_distances():
    rows, queries = DATA["noise"], DATA["noise"][:30] * np.float32(1.5)
    assert np.allclose(Bank(rows, 5, "manhattan").distances(queries), nearest(queries, rows, 5, "cityblock"))
    assert np.allclose(Bank(rows, 5, "manhattan").distances_within(), nearest(rows, rows, 5, "cityblock", True))


def test_neither_threads_nor_other_queries_change_a_bit():
    rows = np.concatenate([DATA["noise"]] * 6) + RNG.standard_normal((900, 40)).astype(np.float32)
    found = []
    for threads in (1, 2, 3):
        with threadpool_limits(limits=threads):
            found.append(Bank(rows, 5, "euclidean").distances_within())
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
    together, one = Bank(rows, 5, "euclidean"), DATA["noise"][7:8]
    assert together.distances(DATA["noise"])[7].tobytes() == together.distances(one).tobytes()
    assert together.distances(one[:0]).shape == (0, 5)


@pytest.mark.parametrize(("many", "limit"), [(10**6, 8), (1000, 30)])
@pytest.mark.parametrize("stray", [1, 300])
def test_few_rows_are_measured_for_each_query(monkeypatch, many, limit, stray):
    """What makes it fast: the bounds leave hardly more than k candidates, one stray row or not."""
    monkeypatch.setattr(bank, "MANY", many)
    rows = (RNG.standard_normal((3000, 64)) / DIM**2).astype(np.float32)
    rows[5] *= stray
    candidates = []
    square = np.square
    monkeypatch.setattr(np, "square", lambda offset, **given: candidates.append(len(offset)) or square(offset, **given))
    Bank(rows, 5, "euclidean").distances(rows[100:300])
    assert 5 * 200 <= sum(candidates) < limit * 200


def test_cosine_distances_are_scikit_learns():
    rows, queries = RNG.normal(size=(30, 5)), RNG.normal(size=(7, 5)).astype(np.float32)
    queries[2] = 0
    expected = np.sort(cosine_distances(queries.astype(float), rows), axis=1)[:, :4].mean(axis=1)
    assert np.allclose(Bank(rows, 4, "cosine").mean_distances(queries), expected, rtol=1e-12)
    assert expected[2] == 1


def test_two_rows_without_direction_are_the_same():
    assert Bank(np.zeros((2, 3)), 1, "cosine").mean_distances_within().tolist() == [0, 0]


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 12),
    k=st.integers(1, 15),
    seed=st.integers(0, 99),
    metric=st.sampled_from(["euclidean", "cosine"]),
)
def test_a_row_among_the_others_is_scored_as_by_a_bank_without_it(count, k, seed, metric):
    rows = np.random.default_rng(seed).integers(1, 4, (count, 3)).astype(float)
    within = Bank(rows, k, metric).mean_distances_within()
    if count == 1:
        assert within.tolist() == [np.inf]
        return
    for place in range(count):
        rest = Bank(np.delete(rows, place, axis=0), k, metric)
        rest.k = min(k, count - 1)
        assert np.isclose(within[place], rest.mean_distances(rows[place : place + 1])[0], rtol=1e-9, atol=1e-12)


def test_banks_of_domains_and_of_clips_without_one():
    clips = labelled(["target", None, "source", "", "target"])
    found = {name: places.tolist() for name, places in places_by_domain(clips, 5).items()}
    assert found == {"source": [2], "target": [0, 4], "unknown": [1, 3]}
    source, target = source_and_target(np.arange(5.0)[:, None], clips)
    assert source.ravel().tolist() == [1, 2, 3]
    assert target.ravel().tolist() == [0, 4]
    assert one_domain_note(places_by_domain(clips, 5)) == []
    assert "have no domain" in one_domain_note(places_by_domain(labelled([None, ""]), 2))[0]
    assert "of the target domain" in one_domain_note(places_by_domain(labelled(["target"]), 1))[0]


@pytest.mark.parametrize("clips", [None, []])
def test_clips_of_which_nothing_is_known_have_no_domain(clips):
    assert {name: places.tolist() for name, places in places_by_domain(clips, 3).items()} == {"unknown": [0, 1, 2]}
    source, target = source_and_target(np.arange(3.0)[:, None], clips)
    assert (len(source), len(target)) == (3, 0)


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
