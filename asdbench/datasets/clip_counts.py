"""Compare numbers of clips with those of a challenge's card."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Group = tuple[str | None, int | None]  # domain, label; None is not known, or all of them

GROUPS: dict[str, Group] = {
    "all": (None, None),
    "clips": (None, None),
    "source": ("source", None),
    "target": ("target", None),
    "normal": (None, 0),
    "anomaly": (None, 1),
    **{f"{domain}_{label}": (domain, int(label == "anomaly"))
       for domain in ("source", "target") for label in ("normal", "anomaly")},
}  # fmt: skip
LABELS = {0: "normal", 1: "anomalous"}


def mismatches(expected: Mapping[Any, int], found: Sequence[Group]) -> list[str]:
    """How the numbers of clips differ, "49 source normal instead of 50"; empty where they do not, or are not known.

    Numbers are compared by domain and by label where the card and every clip state it, else as sums: 200 clips without
    label are compared with 50 + 50 + 50 + 50.

    Args:
        expected: numbers by the card's keys ("source_normal").
        found: domain and label of each clip.
    """
    if not expected:
        return []
    groups = [GROUPS[key] for key in expected] + list(found)
    known = [all(group[side] is not None for group in groups) for side in (0, 1)]

    def merged(group: Group) -> Group:
        return group[0] if known[0] else None, group[1] if known[1] else None

    wanted: Counter[Group] = Counter()
    for key, number in expected.items():
        wanted[merged(GROUPS[key])] += number
    there = Counter(map(merged, found))
    return [
        f"{there[group]} {_words(group)}instead of {wanted[group]}"
        for group in dict.fromkeys([*wanted, *there])
        if there[group] != wanted[group]
    ]


def _words(group: Group) -> str:
    domain, label = group
    return "".join(f"{word} " for word in (domain, LABELS.get(label) if label is not None else None) if word)
