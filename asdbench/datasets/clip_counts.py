"""Compare numbers of clips with those of a challenge's card."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Group = tuple[str | None, int | None]  # domain, label; None is not known, or all of them

LABELS = {"normal": 0, "anomaly": 1}


def mismatches(expected: Mapping[Any, int], clips: Sequence[Group]) -> list[str]:
    """How the numbers of clips differ, "49 source normal instead of 50"; empty where they do not, or are not known.

    Numbers are compared by domain and by label where the card and every clip state it, else as sums: 200 clips without
    label are compared with 50 + 50 + 50 + 50.

    Args:
        expected: numbers by the card's keys ("source_normal").
        clips: domain and label of each clip.
    """
    if not expected:
        return []
    wanted = {_group(key): number for key, number in expected.items()}
    by_domain, by_label = (all(group[side] is not None for group in (*wanted, *clips)) for side in (0, 1))

    def merged(group: Group) -> Group:
        return group[0] if by_domain else None, group[1] if by_label else None

    sums: Counter[Group] = Counter()
    for group, number in wanted.items():
        sums[merged(group)] += number
    there = Counter(map(merged, clips))
    return [
        f"{there[group]} {_description(group)}instead of {sums[group]}"
        for group in dict.fromkeys([*sums, *there])
        if there[group] != sums[group]
    ]


def _group(key: str) -> Group:
    """Domain and label that a key names: ("source", 1) for "source_anomaly", (None, None) for "all" and "clips"."""
    steps = key.split("_")
    domain = steps[0] if steps[0] in ("source", "target") else None
    return domain, LABELS.get(steps[-1])


def _description(group: Group) -> str:
    domain, label = group
    names = (domain, None if label is None else ("normal", "anomalous")[label])
    return "".join(f"{name} " for name in names if name)
