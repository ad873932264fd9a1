"""How alike two orders of the same systems are, with intervals in which families of systems stay together.

Variants of one system move together, so fifty of them say less than fifty systems would. Families are therefore drawn
with replacement, each with all its members, and systems are never drawn alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asdbench.core.digests import derive_seed
from asdbench.protocols.metrics import Array
from asdbench.protocols.resampling import interval
from asdbench.protocols.results import Interval

REPLICATES = 10_000  # resampled sets of families; those in which a side has equal scores only are left out
LEAST_SYSTEMS = 3
LEAST_FAMILIES = 3


@dataclass(frozen=True)
class Correlation:
    """A rank correlation."""

    value: float | None  # between -1 and 1; None where one side has equal scores only
    ci95: Interval | None  # of resampled families; None where there are fewer than three


@dataclass(frozen=True)
class RankCorrelations:
    """Spearman's and Kendall's correlation, the latter with ties as tau-b has them."""

    spearman: Correlation
    kendall: Correlation


def rank_correlations(first: Sequence[float], second: Sequence[float], families: Sequence[str]) -> RankCorrelations:
    """Correlate two scores of the same systems.

    Args:
        first: one for each system.
        second: the same.
        families: of the systems.
    """
    from scipy.stats import kendalltau, spearmanr

    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        none = Correlation(None, None)
        return RankCorrelations(none, none)
    names = sorted(set(families))
    members = np.array([[family == name for family in families] for name in names], np.float64)
    intervals: dict[str, Interval | None] = {"spearman": None, "kendall": None}
    if len(names) >= LEAST_FAMILIES:
        rng = np.random.default_rng(derive_seed(0, "families", *names))
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), REPLICATES)
        weights = drawn @ members
        intervals = {"spearman": _percentiles(spearman_of(x, y, weights)),
                     "kendall": _percentiles(kendall_of(x, y, weights))}  # fmt: skip
    return RankCorrelations(
        Correlation(float(spearmanr(x, y).statistic), intervals["spearman"]),
        Correlation(float(kendalltau(x, y).statistic), intervals["kendall"]),
    )


def spearman_of(x: Array, y: Array, weights: Array) -> Array:
    """Spearman's correlation of each weighted set of systems (sets, systems); a weight says how often one stands there.

    Not a number where a side has equal scores only.
    """
    total = weights.sum(axis=1, keepdims=True)
    moved = []
    for values in (x, y):
        below = (values[:, None] < values) + 0.5 * (values[:, None] == values)
        ranks = weights @ below  # half a rank less than usual, which a correlation does not see
        moved.append(ranks - (weights * ranks).sum(axis=1, keepdims=True) / total)
    one, two = moved
    return _quotient((weights * one * two).sum(1), (weights * one**2).sum(1), (weights * two**2).sum(1))


def kendall_of(x: Array, y: Array, weights: Array) -> Array:
    """Kendall's tau-b of each weighted set of systems (sets, systems)."""
    one, two = (np.sign(values[:, None] - values) for values in (x, y))

    def pairs(signs: Array) -> Array:
        return np.asarray(((weights @ signs) * weights).sum(axis=1))

    return _quotient(pairs(one * two), pairs(one**2), pairs(two**2))


def _quotient(shared: Array, first: Array, second: Array) -> Array:
    scale = np.sqrt(first * second)
    flat = scale < 1e-9
    return np.where(flat, np.nan, shared / np.where(flat, 1.0, scale))


def _percentiles(values: Array) -> Interval | None:
    known = values[np.isfinite(values)]
    return interval(np.clip(known, -1.0, 1.0)) if len(known) else None
