"""Compare ground truths with one another and with the test recordings."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from asdbench.datasets.audit.findings import Finding, Place, counted
from asdbench.datasets.ground_truth import EVALUATOR, GroundTruth, Key, Truth, read_ground_truths
from asdbench.datasets.inventory import Inventory

KNOWN = "ground_truth"  # name of the card's problem that names such a conflict
FILE_NAMES = "the recordings' names"


def conflicts(inventory: Inventory, place: Path) -> Iterator[Finding]:
    """Labels and domains that differ between ground truths, and clips of one that are not in the other.

    Raises:
        DataError: there is no ground truth of these machine types, or it cannot be read.
    """
    truths = read_ground_truths(place, inventory.wanted, inventory.card.year if inventory.card else None)
    recordings = GroundTruth(FILE_NAMES)
    for one in inventory.recordings:
        if one.split == "test":
            recordings.add((one.machine, one.section), one.stem, Truth(one.label, one.domain))
    for truth in truths.values():
        yield from _names(truth, recordings)
    known = inventory.card is not None and KNOWN in inventory.card.problems
    for first, second in combinations([*truths.values(), recordings], 2):
        yield from _differences(first, second, known)


def _differences(first: GroundTruth, second: GroundTruth, known: bool) -> Iterator[Finding]:
    differing: dict[Key, dict[str, list[str]]] = {}
    for key in sorted(first.sections.keys() & second.sections.keys()):
        one, other = first.sections[key], second.sections[key]
        clips = {clip: one[clip].differing(other[clip]) for clip in sorted(one.keys() & other.keys())}
        if any(clips.values()):
            differing[key] = clips
    every = [what for clips in differing.values() for what in clips.values()]
    after = f" ({_numbers(every)} in all)" if len(differing) > 1 else ""
    after += "; the card knows of it" if known else ""
    for (machine, section), clips in differing.items():
        numbers = f"{_numbers(list(clips.values()))} of {len(clips)} test clips"
        message = f"{numbers} differ: {first.kind} against {second.kind}{after}"
        places = tuple(Place(clip, " and ".join(what)) for clip, what in clips.items() if what)
        yield Finding("ground-truth-conflict", "warning" if known else "error", machine, section, message, places)


def _numbers(differing: list[list[str]]) -> str:
    labels, domains = (sum(name in what for what in differing) for name in ("label", "domain"))
    return f"{counted(labels, 'label')} and {counted(domains, 'domain')}"


def _names(truth: GroundTruth, recordings: GroundTruth) -> Iterator[Finding]:
    """Clips that only one of the two has, of the machine types that both have."""
    machines = {machine for machine, _ in truth.sections} & {machine for machine, _ in recordings.sections}
    for key in sorted(truth.sections.keys() | recordings.sections.keys()):
        listed, there = (set(one.sections.get(key, ())) for one in (truth, recordings))
        if key[0] not in machines or (truth.kind != EVALUATOR and not listed):
            continue  # the other kinds need not have every section
        for lacking, what in (
            (listed - there, f"in {truth.kind} without a test recording of that name"),
            (there - listed, f"among the test recordings that {truth.kind} does not name"),
        ):
            if lacking:
                message = f"{counted(len(lacking), 'clip')} {what}"
                yield Finding("ground-truth-names", "error", *key, message, tuple(map(Place, sorted(lacking))))
