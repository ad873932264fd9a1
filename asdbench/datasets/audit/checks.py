"""Compare what is there with what the card says, and recordings with one another: all but their sound."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from asdbench.datasets.audit.findings import Finding, Level, Place, counted
from asdbench.datasets.clip_counts import mismatches
from asdbench.datasets.clips import Clip
from asdbench.datasets.inventory import Inventory
from asdbench.registry.challenge_card import ClipCounts

TRAIN_AND_TEST = ("train", "test")
FIRST_WITH_ATTRIBUTES = 2022  # before, names of some machine types only had them
REPEATS: dict[str, tuple[Level, str]] = {
    "leak": ("error", "in the test set and in another"),
    "across-machines": ("error", "in several machine types"),
    "two-labels": ("error", "among the test clips as normal and as anomalous"),
    "duplicate": ("warning", "more than once in one set"),
}


def completeness(inventory: Inventory) -> Iterator[Finding]:
    """Machine types, sections, clips and labels that are missing or too many; names of another year."""
    for machine in inventory.missing:
        yield Finding("missing-machine", "error", machine, "", f"no folder of it below {inventory.root}")
    yield from _layout(inventory)
    for machine, files in inventory.machines.items():
        for split in TRAIN_AND_TEST:
            if not any(one.split == split for one in files.recordings):
                level: Level = "error" if split == "train" or inventory.card else "warning"  # a detector needs no test
                yield Finding("missing-split", level, machine, "", f"no {split} recordings")
    for machine, section, here in inventory.sections():
        if machine in inventory.machines and inventory.machines[machine].recordings:
            yield from _section(inventory, machine, section, here)
    wanted = inventory.expected.supplemental if inventory.expected else None
    for machine, files in inventory.machines.items() if wanted is not None else ():
        there = sum(one.split == "supplemental" for one in files.recordings)
        if there != wanted:
            yield Finding("count", "error", machine, "", f"supplemental clips: {there} instead of {wanted}")


def not_checked(inventory: Inventory) -> list[str]:
    """What could not be compared, one line each."""
    expected = inventory.expected
    if expected is None:
        return ["numbers of clips and machine types: a folder has no card that says what belongs in it"]
    lines = []
    for split in TRAIN_AND_TEST:
        unknown = [
            machine
            for machine in inventory.machines
            if not all(getattr(expected.counts_of(machine, one), split) for one in expected.sections_of(machine))
        ]
        if unknown:
            lines.append(f"number of {split} clips of {', '.join(unknown)}: the card does not know it")
    return lines + [
        f"{counted(files.left_out, 'recording')} of {machine}, of sections that are not of this split: left out"
        for machine, files in inventory.machines.items()
        if files.left_out
    ]


def _layout(inventory: Inventory) -> Iterator[Finding]:
    layouts = inventory.layouts
    what = " and ".join(f"{counted(number, 'recording')} of {name}" for name, number in sorted(layouts.items()))
    if inventory.card is None:
        if len(layouts) > 1:
            yield Finding("layout", "error", "", "", f"two layouts in one data set: {what}")
        return
    accepted = {inventory.card.layout}
    if inventory.card.layout == "dcase2021" and not any(one.split == "test" for one in inventory.recordings):
        accepted.add("dcase2023")  # 2021 is known by the folders of its test clips alone
    if not set(layouts) <= accepted:
        yield Finding("layout", "error", "", "", f"the layout is not {inventory.card.layout} as the card says: {what}")


def _section(inventory: Inventory, machine: str, section: str, here: list[Clip]) -> Iterator[Finding]:
    if not here:
        yield Finding("missing-section", "error", machine, section, "no recordings")
        return
    counts = inventory.expected.counts_of(machine, section) if inventory.expected else ClipCounts()
    for split in TRAIN_AND_TEST:
        clips = [one for one in here if one.split == split]
        expected: dict[str, int] = dict(getattr(counts, split))  # keys are a narrower type
        if not clips:
            # Where the whole machine type lacks the split, that is a finding of its own.
            if any(one.split == split for one in inventory.machines[machine].recordings):
                yield Finding("missing-split", "error", machine, section, f"no {split} recordings")
        elif differing := mismatches(expected, [(one.domain, one.label) for one in clips]):
            yield Finding("count", "error", machine, section, f"{split} clips: {', '.join(differing)}")
    test = [one for one in here if one.split == "test"]
    unlabelled = [one for one in test if one.label is None]
    some_labelled = len(unlabelled) < len(test)
    if unlabelled and (some_labelled or (inventory.expected is not None and inventory.expected.labelled)):
        message = f"{counted(len(unlabelled), 'test clip')} without label in the name"
        message += ", though the others have one" if some_labelled else ""
        yield Finding("label", "error", machine, section, message, _places(inventory, unlabelled))


def names(inventory: Inventory) -> Iterator[Finding]:
    """Files that cannot be used for what their names, folders or attribute files say; ``run`` refuses them as well."""
    for machine, files in inventory.machines.items():
        if files.problems:
            parts = [inventory.relative(problem).partition(": ") for problem in files.problems]
            message = counted(len(parts), "file or row", "files or rows") + " that cannot be used"
            places = tuple(Place(file, note) for file, _, note in parts)
            yield Finding("file", "error", machine, "", message, places)


def attributes(inventory: Inventory) -> Iterator[Finding]:
    """Training clips, and test clips with labels, whose attributes stand neither in the name nor in a file.

    Nothing is said of machine types whose card says that they are hidden, nor where no clip of a folder has any.
    """
    due = inventory.card is not None and inventory.card.year >= FIRST_WITH_ATTRIBUTES
    for machine, files in inventory.machines.items():
        if inventory.expected is not None and inventory.expected.machines[machine].attributes_hidden:
            continue
        for split in TRAIN_AND_TEST:
            clips = [one for one in files.recordings if one.split == split and one.label is not None]
            bare = [one for one in clips if not one.attributes]
            if bare and (due or len(bare) < len(clips)):
                message = f"{len(bare)} of {counted(len(clips), f'{split} clip')} without attributes"
                message += ", which the card does not say are hidden" if due else ""
                yield Finding("attributes", "warning", machine, "", message, _places(inventory, bare))


def repeats(inventory: Inventory, digests: Mapping[Path, str]) -> Iterator[Finding]:
    """The same sound in several files, by digests of their samples; that of a silent or unreadable file is empty."""
    by_digest: dict[str, list[Clip]] = defaultdict(list)
    for one in inventory.recordings:
        by_digest[digests[one.path]].append(one)
    by_kind: dict[tuple[str, str], list[list[Clip]]] = defaultdict(list)
    for digest, group in by_digest.items():
        if digest and len(group) > 1:
            machines = " and ".join(dict.fromkeys(one.machine for one in group))
            by_kind[_kind(group), machines].append(group)
    for (kind, machines), groups in by_kind.items():
        level, where = REPEATS[kind]
        places = tuple(
            Place(inventory.relative(first.path), "= " + ", ".join(inventory.relative(one.path) for one in others))
            for first, *others in groups
        )
        yield Finding(kind, level, machines, "", f"{counted(len(groups), 'recording')} {where}", places)


def _kind(group: list[Clip]) -> str:
    splits = {one.split for one in group}
    labels = {one.label for one in group if one.split == "test"}
    if "test" in splits and len(splits) > 1:
        return "leak"
    if len({one.machine for one in group}) > 1:
        return "across-machines"
    return "two-labels" if {0, 1} <= labels else "duplicate"


def _places(inventory: Inventory, recordings: list[Clip]) -> tuple[Place, ...]:
    return tuple(Place(inventory.relative(one.path)) for one in recordings)
