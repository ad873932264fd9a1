"""Ranks: averaged over many machine types, with the Friedman test and Nemenyi's critical difference; and shared ones.

J. Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006, sections 3.2.2 and 3.2.3.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asdbench.core.errors import UsageError

FEW_BLOCKS = 5
LEAST_SYSTEMS = 3
Block = tuple[str, str]  # data set, machine type


@dataclass(frozen=True)
class AverageRanks:
    """How systems rank on the average over blocks, and which of them are apart."""

    ranks: Mapping[str, float]  # average rank of each system, best (lowest) first
    blocks: tuple[Block, ...]  # what was averaged over: (data set, machine type)
    alpha: float  # level of significance
    # statistic of the Friedman test that all systems are equivalent, corrected for ties; it follows the chi-squared
    # distribution with ``len(ranks) - 1`` degrees of freedom
    friedman: float
    friedman_p: float  # its p value
    # the less conservative statistic derived from it; None for a single block, inf where all blocks rank alike
    iman_davenport: float | None
    iman_davenport_p: float | None  # its p value by the F distribution
    critical_difference: float  # systems whose average ranks differ by at least this are significantly apart (Nemenyi)
    # the bars of a critical-difference diagram: largest sets of neighbours that are not apart, from the best
    groups: tuple[tuple[str, ...], ...]
    caution: str | None  # why the numbers are not to be relied on; None where there are blocks enough

    def apart(self, first: str, second: str) -> bool:
        """Whether the average ranks of two systems differ by the critical difference."""
        return _at_least(abs(self.ranks[first] - self.ranks[second]), self.critical_difference)


def average_ranks(scores: Mapping[str, Mapping[Block, float]], alpha: float = 0.05) -> AverageRanks:
    """Rank the systems within each block and average.

    Rank 1 is the highest score; ties share the mean of their ranks.

    Args:
        scores: by system and block; blocks that a system lacks are left out for all.
        alpha: level of significance.

    Raises:
        UsageError: fewer than three systems, no block that all have, a score that is not finite, or an alpha that is
            none.
    """
    from scipy.stats import friedmanchisquare, rankdata

    if len(scores) < LEAST_SYSTEMS:
        raise UsageError(f"Average ranks need {LEAST_SYSTEMS} systems; two are compared by their paired difference.")
    if not 0 < alpha < 1:
        raise UsageError(f"alpha is {alpha:g}; accepted is what lies between 0 and 1, 0.05 for instance.")
    systems = list(scores)
    blocks = [block for block in scores[systems[0]] if all(block in by_block for by_block in scores.values())]
    if not blocks:
        raise UsageError(f"No machine type has results of every system: {', '.join(systems)}.")
    values = np.array([[scores[system][block] for system in systems] for block in blocks], np.float64)
    if not np.isfinite(values).all():
        block, system = np.argwhere(~np.isfinite(values))[0]
        raise UsageError(f"The score of {systems[system]} on {blocks[block][1]} is not a finite number.")
    ranks = rankdata(-values, axis=1)
    means = {systems[place]: float(ranks[:, place].mean()) for place in np.argsort(ranks.mean(axis=0), kind="stable")}
    tied = (ranks == ranks[:, :1]).all()  # in every block, which SciPy has no statistic of
    statistic, p = (0.0, 1.0) if tied else map(float, friedmanchisquare(*values.T))
    refined, refined_p = iman_davenport(statistic, len(systems), len(blocks))
    distance = critical_difference(len(systems), len(blocks), alpha)
    return AverageRanks(
        ranks=means,
        blocks=tuple(blocks),
        alpha=alpha,
        friedman=statistic,
        friedman_p=p,
        iman_davenport=refined,
        iman_davenport_p=refined_p,
        critical_difference=distance,
        groups=_groups(means, distance),
        caution=_caution(len(blocks)),
    )


def iman_davenport(friedman: float, systems: int, blocks: int) -> tuple[float | None, float | None]:
    """F_F = (N - 1) chi^2 / (N (k - 1) - chi^2) and its p value; Friedman's own is conservative.

    R. L. Iman and J. M. Davenport, Approximations of the critical region of the Friedman statistic, 1980.
    """
    from scipy.stats import f

    if blocks < 2:
        return None, None
    rest = blocks * (systems - 1) - friedman
    if rest <= 1e-9 * blocks * (systems - 1):
        return math.inf, 0.0
    statistic = (blocks - 1) * friedman / rest
    return statistic, float(f.sf(statistic, systems - 1, (systems - 1) * (blocks - 1)))


def critical_difference(systems: int, blocks: int, alpha: float) -> float:
    """Nemenyi's CD = q sqrt(k (k + 1) / (6 N))."""
    return critical_value(systems, alpha) * math.sqrt(systems * (systems + 1) / (6 * blocks))


def critical_value(systems: int, alpha: float) -> float:
    """Demsar's q: the studentized range of k means at infinite degrees of freedom, divided by sqrt(2) (Table 5a)."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, systems, np.inf)) / math.sqrt(2)


def _groups(ranks: Mapping[str, float], distance: float) -> tuple[tuple[str, ...], ...]:
    """Runs of neighbours in the order of their ranks whose ends are not apart and that lie in no longer such run."""
    names = list(ranks)
    groups: list[Sequence[str]] = []
    reached = 0
    for first in range(len(names)):
        end = first + 1
        while end < len(names) and not _at_least(ranks[names[end]] - ranks[names[first]], distance):
            end += 1
        if end - first > 1 and end > reached:
            groups.append(names[first:end])
            reached = end
    return tuple(tuple(group) for group in groups)


def _at_least(gap: float, distance: float) -> bool:
    return gap >= distance - 1e-9  # sums of ranks are exact, their means are not


def _caution(blocks: int) -> str | None:
    if blocks >= FEW_BLOCKS:
        return None
    count = "a single machine type" if blocks == 1 else f"{blocks} machine types"
    return (
        f"Over {count} the Friedman test's approximation is poor and Nemenyi's test finds next to nothing; "
        f"read nothing into the groups with fewer than {FEW_BLOCKS}."
    )


def shared_ranks(names: Sequence[str], significantly_better: Callable[[str, str], bool]) -> dict[str, int]:
    """Rank systems so that no two of the same rank are significantly apart.

    Walks down from the best: a system joins the group of those above it only when none of them is significantly
    better; else it opens the next group. A group's rank is 1 more than the number of systems above it ("1224").

    Not being significantly apart is not transitive: a system of the next group is worse than at least one of the group
    above, mostly than its best, and may well not be apart from the others of it. What sharing a rank says is sure;
    standing one rank lower says "worse than the best of the rank above" and no more.

    Args:
        names: of the systems, in descending order of their score; equal scores in any order.
        significantly_better: whether the first of two, which has the higher score, is significantly better; where
            the interval of their paired difference is at hand, whether it excludes 0 (``Difference.significant``).

    Returns:
        The rank of each system, in the order of ``names``.

    Raises:
        ValueError: a name stands twice.
    """
    if len(set(names)) != len(names):
        raise ValueError("a system stands twice among those to rank")
    ranks: dict[str, int] = {}
    group: list[str] = []
    for name in names:
        if any(significantly_better(member, name) for member in group):
            group = []
        group.append(name)
        ranks[name] = len(ranks) + 2 - len(group)
    return ranks
