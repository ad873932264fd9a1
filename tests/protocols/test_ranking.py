"""Shared ranks against their definition, tried out by brute force."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asdbench.protocols.average_ranks import shared_ranks

NAMES = "abcdef"


@st.composite
def relations(draw):
    """Systems in descending order, and any set of significant pairs: real ones need not be transitive."""
    names = list(NAMES[: draw(st.integers(0, len(NAMES)))])
    pairs = list(itertools.combinations(names, 2))
    return names, {pair for pair in pairs if draw(st.booleans())}


def partitions(names):
    """Every way to cut a sequence into groups of neighbours."""
    for cuts in itertools.product([False, True], repeat=max(len(names) - 1, 0)):
        groups = [[name] for name in names[:1]]
        for name, cut in zip(names[1:], cuts, strict=True):
            if cut:
                groups.append([name])
            else:
                groups[-1].append(name)
        yield groups


def by_brute_force(names, apart):
    """Of all partitions into groups without a significant pair, the one whose first groups are the largest."""
    sound = [
        groups
        for groups in partitions(names)
        if not any(pair in apart for group in groups for pair in itertools.combinations(group, 2))
    ]
    best = max(sound, key=lambda groups: [len(group) for group in groups])
    return {name: 1 + sum(map(len, best[:place])) for place, group in enumerate(best) for name in group}


@given(relations())
def test_ranks_are_those_of_the_definition(relation):
    names, apart = relation
    ranks = shared_ranks(names, lambda a, b: (a, b) in apart)
    assert ranks == by_brute_force(names, apart)
    assert list(ranks) == names


@given(relations())
def test_what_a_rank_promises(relation):
    names, apart = relation
    ranks = shared_ranks(names, lambda a, b: (a, b) in apart)
    for a, b in itertools.combinations(names, 2):
        assert ranks[a] <= ranks[b]
        assert ranks[a] < ranks[b] or (a, b) not in apart, "sharing a rank: not apart"
    for name, rank in ranks.items():
        assert rank == 1 + sum(other < rank for other in ranks.values()), "standard competition ranking"
        first = next(other for other in names if ranks[other] == rank)
        above = [other for other in names if ranks[other] < rank]
        if name == first and above:
            group = [other for other in above if ranks[other] == ranks[above[-1]]]
            assert any((member, name) in apart for member in group), "a group is opened for a reason"


def test_a_chain_that_is_not_transitive():
    """Neighbours are not apart, the ends are: the third is not carried along."""
    assert shared_ranks("abc", lambda a, b: (a, b) == ("a", "c")) == {"a": 1, "b": 1, "c": 3}
    assert shared_ranks("abcd", lambda a, b: True) == {"a": 1, "b": 2, "c": 3, "d": 4}
    with pytest.raises(ValueError, match="twice"):
        shared_ranks("aba", lambda a, b: False)
