"""Rank correlations of weighted sets are scipy's of the sets written out; families are drawn, not systems."""

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from asdbench.protocols.rank_correlation import kendall_of, rank_correlations, spearman_of

RNG = np.random.default_rng(3)
X = RNG.integers(0, 6, 12).astype(float)  # with ties
Y = RNG.integers(0, 6, 12).astype(float)
WEIGHTS = RNG.integers(0, 4, (40, 12))


@pytest.mark.parametrize(("of", "scipys"), [(spearman_of, spearmanr), (kendall_of, kendalltau)])
def test_a_weighted_set_is_the_set_in_which_each_system_stands_as_often(of, scipys):
    expected = [scipys(np.repeat(X, weights), np.repeat(Y, weights)).statistic for weights in WEIGHTS]
    assert of(X, Y, WEIGHTS) == pytest.approx(expected)


def test_a_side_of_equal_scores_has_none():
    assert np.isnan(spearman_of(np.ones(3), np.arange(3.0), np.ones((1, 3)))).all()
    found = rank_correlations([1, 1, 1], [1, 2, 3], ["a", "b", "c"])
    assert (found.spearman.value, found.kendall.ci95) == (None, None)


def test_the_interval_is_of_all_draws_of_whole_families():
    x, y = [1, 2, 5, 4, 3, 6], [2, 1, 3, 6, 4, 5]
    families = ["a", "a", "b", "b", "c", "c"]
    found = rank_correlations(x, y, families).spearman
    every = []
    for draw in np.ndindex(3, 3, 3):
        members = [place for one in draw for place in (2 * one, 2 * one + 1)]
        every.append(spearmanr(np.take(x, members), np.take(y, members)).statistic)
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert found.ci95 == pytest.approx((min(every), max(every))), "3 of 27 draws hold one family alone"
    assert rank_correlations(x, y, ["a", "a", "b", "b", "b", "b"]).spearman.ci95 is None, "two families say too little"


def test_variants_that_move_together_leave_as_much_open_as_their_families():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(6), rng.standard_normal(6)
    families = list("abcdef")
    few = rank_correlations(x, y, families).spearman.ci95
    many = rank_correlations(np.repeat(x, 9), np.repeat(y, 9), np.repeat(families, 9).tolist()).spearman.ci95
    assert many == pytest.approx(few)
    alone = rank_correlations(np.repeat(x, 9), np.repeat(y, 9), [str(one) for one in range(54)]).spearman.ci95
    assert alone[1] - alone[0] < 0.7 * (few[1] - few[0])
