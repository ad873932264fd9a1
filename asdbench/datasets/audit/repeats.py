"""Recordings that are there more than once."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from asdbench.datasets.audit.findings import Finding, Level, Place, counted
from asdbench.datasets.audit.holdings import Holdings
from asdbench.datasets.audit.listening import Heard
from asdbench.datasets.inventory import Recording

MESSAGES: dict[str, tuple[Level, str]] = {
    "leak": ("error", "in the test set and in another"),
    "across-machines": ("error", "in several machine types"),
    "two-labels": ("error", "among the test clips as normal and as anomalous"),
    "duplicate": ("warning", "more than once in one set"),
}


def repeats(holdings: Holdings, heard: Mapping[Path, Heard]) -> Iterator[Finding]:
    """The same sound in several files, whatever their names and kinds; silent and unreadable files do not count."""
    by_content: dict[str, list[Recording]] = {}
    for one in holdings.recordings:
        if content := heard[one.path].content:
            by_content.setdefault(content, []).append(one)
    found: dict[tuple[str, str], list[list[Recording]]] = {}
    for group in by_content.values():
        if len(group) > 1:
            machines = " and ".join(dict.fromkeys(one.machine for one in group))
            found.setdefault((_kind(group), machines), []).append(group)
    for (kind, machines), groups in found.items():
        level, words = MESSAGES[kind]
        yield Finding(
            kind, level, machines, "",
            f"{counted(len(groups), 'recording')} {words}",
            tuple(
                Place(holdings.relative(first.path), "= " + ", ".join(holdings.relative(one.path) for one in rest))
                for first, *rest in groups
            ),
        )  # fmt: skip


def _kind(group: list[Recording]) -> str:
    splits = {one.split for one in group}
    labels = {one.facts.label for one in group if one.split == "test"}
    if "test" in splits and len(splits) > 1:
        return "leak"
    if len({one.machine for one in group}) > 1:
        return "across-machines"
    return "two-labels" if {0, 1} <= labels else "duplicate"
