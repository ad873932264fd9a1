"""Ranks that systems share where nothing tells them apart."""

from collections.abc import Callable, Sequence


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
