from fractions import Fraction

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from asdbench.scorers import nearest
from asdbench.scorers.bounds import Bounds, Centre
from asdbench.scorers.nearest import NearestRows

RNG = np.random.default_rng(0)


def by_definition(rows, queries, k, itself=False):
    rows, queries = rows.astype(np.float64), queries.astype(np.float64)
    distances = np.stack([np.sqrt(((rows - query) ** 2).sum(axis=1)) for query in queries])
    if itself:
        np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :k]


def clusters():
    """Far apart, and each so narrow that float32 tells nothing within it once the common mean is off."""
    centres = 1000 * RNG.standard_normal((20, 16))
    return np.repeat(centres, 15, axis=0) + 1e-4 * RNG.standard_normal((300, 16))


DATA = {
    "noise": RNG.standard_normal((300, 40)).astype(np.float32),
    "spectrum of a network": (RNG.standard_normal((300, 64)) / np.arange(1, 65)).astype(np.float32),
    "far from zero": (1e4 + RNG.standard_normal((300, 8))).astype(np.float32),
    "tiny": (1e-20 * RNG.standard_normal((300, 8))).astype(np.float32),
    "huge": (1e30 * RNG.standard_normal((300, 8))).astype(np.float32),
    "one far away": np.r_[RNG.standard_normal((299, 8)), np.full((1, 8), 1e6)].astype(np.float32),
    "doubled": np.tile(RNG.standard_normal((30, 5)), (10, 1)).astype(np.float32),
    "all the same": np.ones((300, 3), np.float32),
    "one dimension": RNG.standard_normal((300, 1)).astype(np.float32),
    "clusters": clusters(),
}


@pytest.fixture(params=["as it is", "small blocks", "leading directions"])
def _way(request, monkeypatch):
    if request.param != "as it is":
        monkeypatch.setattr(nearest, "QUERIES", 37)
        monkeypatch.setattr(nearest, "ROWS", 64)
        monkeypatch.setattr(nearest, "CHUNK", 8)
    if request.param == "leading directions":
        monkeypatch.setattr(nearest, "WORTH_A_TRY", 0)
        monkeypatch.setattr(nearest, "CHOICES", (2, 4, 8, 16))
        monkeypatch.setattr(nearest, "MEASURING", 0)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("k", [1, 5, 70])
def test_distances_are_those_of_the_definition(name, k):
    rows = DATA[name]
    queries = np.concatenate([rows[:20], rows[20:60] * rows.dtype.type(1.25)])
    # Summed in another order: as near as float64 sums are.
    assert np.allclose(NearestRows(rows).distances(queries, k), by_definition(rows, queries, k), rtol=1e-13, atol=0)
    within = NearestRows(rows).distances_within(k)
    assert np.allclose(within, by_definition(rows, rows, k, itself=True), rtol=1e-13, atol=0)


def test_as_many_neighbours_as_there_are_rows():
    rows = DATA["noise"][:6]
    assert np.allclose(NearestRows(rows).distances(rows, 6), by_definition(rows, rows, 6), rtol=1e-13)
    assert np.allclose(NearestRows(rows).distances_within(5), by_definition(rows, rows, 5, itself=True), rtol=1e-13)
    assert NearestRows(rows).distances(rows[:0], 3).shape == (0, 3)


@pytest.mark.parametrize("name", ["noise", "spectrum of a network", "far from zero", "one far away", "clusters"])
@pytest.mark.parametrize("directions", [None, 2])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_a_bound_is_never_below_what_it_bounds_in_exact_arithmetic(name, directions, precision):
    rows = DATA[name][::30]
    centre = Centre(rows)
    axes = None if directions is None else np.linalg.qr(RNG.standard_normal((rows.shape[1], directions)))[0]
    bounds = Bounds(rows, centre, axes, precision)
    factors, _ = bounds.of_queries(rows)
    given = bounds.product(factors, slice(None), bounds.memory(len(rows), len(rows)))
    mean = [Fraction(float(number)) for number in centre.mean]
    scale = Fraction(float(centre.scale))
    exact = [[(Fraction(float(x)) - m) * scale for x, m in zip(row, mean, strict=True)] for row in rows]
    for query, row_of_bounds in zip(exact, given, strict=True):
        for row, bound in zip(exact, row_of_bounds, strict=True):
            true = sum((a * b for a, b in zip(row, query, strict=True)), start=-sum(a * a for a in row) / 2)
            assert Fraction(float(bound)) >= true
            if directions is None:
                assert float(bound) - float(true) < 100 * np.finfo(precision).eps * (rows.shape[1] + 5)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    rows = np.concatenate([DATA["noise"]] * 3) + RNG.standard_normal((900, 40)).astype(np.float32)
    monkeypatch.setattr(nearest, "QUERIES", 100)
    found = []
    for threads in (1, 2, 3):
        with threadpool_limits(limits=threads):
            found.append(NearestRows(rows).distances_within(5))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_leading_directions_are_chosen_where_they_save_work(monkeypatch):
    monkeypatch.setattr(nearest, "WORTH_A_TRY", 0)
    steep = (RNG.standard_normal((2000, 128)) / np.arange(1, 129)).astype(np.float32)
    flat = RNG.standard_normal((2000, 128)).astype(np.float32)
    assert NearestRows(steep)._bounds_for(steep, 5).dimensions < 128
    assert NearestRows(flat)._bounds_for(flat, 5).dimensions == 128
