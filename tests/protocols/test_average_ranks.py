"""Average ranks against SciPy, Demsar's published numbers, and groups written out."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from asdbench.core.errors import UsageError
from asdbench.protocols.average_ranks import (
    average_ranks,
    critical_difference,
    critical_value,
    iman_davenport,
)

# Demsar 2006, Table 5(a): critical values for the two-tailed Nemenyi test, k = 2 ... 10
PUBLISHED = {
    0.05: [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164],
    0.10: [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920],
}


def table(values):
    return {
        f"system{column}": {("data", f"machine{row}"): float(value) for row, value in enumerate(own)}
        for column, own in enumerate(np.transpose(values))
    }


@pytest.mark.parametrize("alpha", PUBLISHED)
def test_critical_values_are_the_published_ones(alpha):
    """To the last digit printed, which is rounded or cut in the paper."""
    for systems, value in enumerate(PUBLISHED[alpha], 2):
        assert critical_value(systems, alpha) == pytest.approx(value, abs=0.0012)
    assert critical_value(2, alpha) == pytest.approx(scipy.stats.norm.isf(alpha / 2), abs=1e-6)


def test_the_worked_example_of_demsar():
    """Four systems, 14 data sets, average ranks as printed: chi^2 9.28, F_F 3.69, CD 1.25 and 1.12."""
    printed = np.array([3.143, 2.000, 2.893, 1.964])
    chi2 = 12 * 14 / (4 * 5) * (np.sum(printed**2) - 4 * 5**2 / 4)
    assert chi2 == pytest.approx(9.28, abs=0.01)
    f, p = iman_davenport(chi2, 4, 14)
    assert f == pytest.approx(3.69, abs=0.01)
    assert p < 0.05, "the paper's critical value is 2.85"
    assert critical_difference(4, 14, 0.05) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.005)


tables = st.tuples(st.integers(3, 7), st.integers(2, 9)).flatmap(
    lambda shape: st.lists(
        st.lists(st.integers(0, 6), min_size=shape[0], max_size=shape[0]), min_size=shape[1], max_size=shape[1]
    )
)


@settings(max_examples=20, deadline=None)
@given(tables)
def test_friedman_is_that_of_scipy_with_ties(values):
    values = np.array(values, float)
    found = average_ranks(table(values))
    ranks = np.array([[1 + sum(row > own) + (sum(row == own) - 1) / 2 for own in row] for row in values])
    for column, mean in enumerate(ranks.mean(axis=0)):
        assert found.ranks[f"system{column}"] == pytest.approx(mean)
    assert list(found.ranks.values()) == sorted(found.ranks.values())
    if (values == values[:, :1]).all():
        assert (found.friedman, found.friedman_p) == (0.0, 1.0)
        return
    expected = scipy.stats.friedmanchisquare(*values.T)
    assert found.friedman == pytest.approx(expected.statistic, abs=1e-9)
    assert found.friedman_p == pytest.approx(expected.pvalue, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(tables, st.sampled_from([0.05, 0.5, 0.9]))
def test_groups_are_the_largest_sets_of_systems_not_apart(values, alpha):
    found = average_ranks(table(values), alpha)
    names = list(found.ranks)
    alike = [
        set(some)
        for size in range(2, len(names) + 1)
        for some in itertools.combinations(names, size)
        if not any(found.apart(a, b) for a, b in itertools.combinations(some, 2))
    ]
    largest = {frozenset(some) for some in alike if not any(some < other for other in alike)}
    assert {frozenset(group) for group in found.groups} == largest
    assert len(found.groups) == len(largest)


def test_without_ties_it_is_the_textbook_formula():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 5)) + np.arange(5)
    mean = scipy.stats.rankdata(-values, axis=1).mean(axis=0)
    ranks = average_ranks(table(values))
    assert ranks.friedman == pytest.approx(12 * 9 / 30 * (np.sum(mean**2) - 5 * 36 / 4))
    assert ranks.friedman_p == pytest.approx(scipy.stats.chi2.sf(ranks.friedman, 4))
    assert ranks.caution is None


def test_agreement_of_all_blocks_and_a_single_block():
    found = average_ranks(table([[3, 2, 1]] * 4))
    assert found.ranks == {"system0": 1, "system1": 2, "system2": 3}
    assert (found.friedman, found.iman_davenport, found.iman_davenport_p) == (pytest.approx(8.0), math.inf, 0.0)
    assert "4 machine types" in (found.caution or "")
    single = average_ranks(table([[3, 2, 1]]))
    assert (single.iman_davenport, single.groups) == (None, (("system0", "system1", "system2"),))
    assert "a single machine type" in (single.caution or "")


def test_under_the_null_hypothesis_a_group_is_split_in_about_five_of_a_hundred():
    """Nemenyi holds the chance of any false difference at alpha: 5 systems alike, 20 blocks, 1000 trials."""
    rng = np.random.default_rng(7)
    distance = critical_difference(5, 20, 0.05)
    means = scipy.stats.rankdata(rng.normal(size=(1000, 20, 5)), axis=2).mean(axis=1)
    false = np.mean(np.ptp(means, axis=1) >= distance)
    assert 0.025 < false < 0.07


def test_blocks_that_one_lacks_are_left_out_for_all():
    scores = table([[3, 2, 1], [1, 2, 3]])
    del scores["system1"]["data", "machine1"]
    assert average_ranks(scores).blocks == (("data", "machine0"),)


@pytest.mark.parametrize(
    ("scores", "alpha", "message"),
    [
        (table([[1, 2]]), 0.05, "need 3 systems"),
        (table([[1, 2, 3]]), 0.0, "between 0 and 1"),
        (table([[1, 2, math.nan]]), 0.05, "system2 on machine0 is not a finite"),
        ({name: {("data", name): 0.5} for name in "abc"}, 0.05, "No machine type has results of every system"),
    ],
)
def test_mistakes(scores, alpha, message):
    with pytest.raises(UsageError, match=message):
        average_ranks(scores, alpha)
