"""Compare what is there with what the card says, and recordings with one another: all but their sound."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from asdbench.datasets.audit.findings import Finding, Level, Place, counted
from asdbench.datasets.audit.holdings import Holdings
from asdbench.datasets.audit.sounds import Heard
from asdbench.datasets.clip_counts import mismatches
from asdbench.datasets.inventory import Recording, layouts
from asdbench.registry.challenge_card import ClipCounts

TRAIN_AND_TEST = ("train", "test")
FIRST_WITH_ATTRIBUTES = 2022  # before, names of some machine types only had them
REPEATS: dict[str, tuple[Level, str]] = {
    "leak": ("error", "in the test set and in another"),
    "across-machines": ("error", "in several machine types"),
    "two-labels": ("error", "among the test clips as normal and as anomalous"),
    "duplicate": ("warning", "more than once in one set"),
}


def completeness(holdings: Holdings) -> Iterator[Finding]:
    """Machine types, sections, clips and labels that are missing or too many; names of another year."""
    for machine in holdings.missing:
        yield Finding("missing-machine", "error", machine, "", f"no folder of it below {holdings.root}")
    yield from _names_of_one_year(holdings)
    for machine, part in holdings.parts.items():
        for split in TRAIN_AND_TEST:
            if not any(one.split == split for one in part.recordings):
                yield Finding("missing-split", "error", machine, "", f"no {split} recordings")
    for machine, section, here in holdings.sections():
        if machine in holdings.parts and holdings.parts[machine].recordings:
            yield from _section(holdings, machine, section, here)
    yield from _supplemental(holdings)


def not_checked(holdings: Holdings) -> list[str]:
    """What the card leaves open, in words."""
    if holdings.expected is None:
        return ["numbers of clips and machine types: a folder has no card that says what belongs in it"]
    open_ones: dict[str, list[str]] = {}
    for machine in holdings.parts:
        counts = [holdings.expected.counts_of(machine, section) for section in holdings.expected.sections_of(machine)]
        for split in TRAIN_AND_TEST:
            if not all(getattr(one, split) for one in counts):
                open_ones.setdefault(split, []).append(machine)
    return [
        f"number of {split} clips of {', '.join(machines)}: the card does not know it"
        for split, machines in open_ones.items()
    ] + [
        f"{counted(part.left_out, 'recording')} of {machine}, of sections that are not of this split: left out"
        for machine, part in holdings.parts.items()
        if part.left_out
    ]


def _section(holdings: Holdings, machine: str, section: str, here: list[Recording]) -> Iterator[Finding]:
    if not here:
        yield Finding("missing-section", "error", machine, section, "no recordings")
        return
    counts = holdings.expected.counts_of(machine, section) if holdings.expected else ClipCounts()
    for split in TRAIN_AND_TEST:
        found = [one for one in here if one.split == split]
        expected: dict[str, int] = dict(getattr(counts, split))  # keys are a narrower type
        if not found:
            if any(one.split == split for one in holdings.parts[machine].recordings):  # else it is said already
                yield Finding("missing-split", "error", machine, section, f"no {split} recordings")
        elif differing := mismatches(expected, [(one.facts.domain, one.facts.label) for one in found]):
            yield Finding("count", "error", machine, section, f"{split} clips: {', '.join(differing)}")
    unlabelled = [one for one in here if one.split == "test" and one.facts.label is None]
    labelled = any(one.facts.label is not None for one in here if one.split == "test")
    if unlabelled and (labelled or (holdings.expected is not None and holdings.expected.labelled)):
        yield Finding(
            "label", "error", machine, section,
            f"{counted(len(unlabelled), 'test clip')} without label in the name, though the others have one"
            if labelled else f"{counted(len(unlabelled), 'test clip')} without label in the name",
            tuple(Place(holdings.relative(one.path)) for one in unlabelled),
        )  # fmt: skip


def _supplemental(holdings: Holdings) -> Iterator[Finding]:
    wanted = holdings.expected.supplemental if holdings.expected else None
    for machine, part in holdings.parts.items() if wanted is not None else ():
        there = sum(one.split == "supplemental" for one in part.recordings)
        if there != wanted:
            yield Finding("count", "error", machine, "", f"supplemental clips: {there} instead of {wanted}")


def _names_of_one_year(holdings: Holdings) -> Iterator[Finding]:
    found = layouts(holdings.recordings)
    what = " and ".join(f"{counted(number, 'recording')} of {name}" for name, number in sorted(found.items()))
    if holdings.card is None:
        if len(found) > 1:
            yield Finding("layout", "error", "", "", f"two layouts in one data set: {what}")
        return
    accepted = {holdings.card.layout}
    if holdings.card.layout == "dcase2021" and not any(one.split == "test" for one in holdings.recordings):
        accepted.add("dcase2023")  # 2021 is known by the folders of its test clips alone
    if not set(found) <= accepted:
        yield Finding("layout", "error", "", "", f"the layout is not {holdings.card.layout} as the card says: {what}")


def names(holdings: Holdings) -> Iterator[Finding]:
    """Files that cannot be used for what their names, folders or attribute files say; ``run`` refuses them as well."""
    for machine, part in holdings.parts.items():
        places = []
        for problem in part.problems:
            file, _, note = holdings.relative(problem).partition(": ")
            places.append(Place(file, note))
        if places:
            message = counted(len(places), "file or row", "files or rows") + " that cannot be used"
            yield Finding("file", "error", machine, "", message, tuple(places))


def attributes(holdings: Holdings) -> Iterator[Finding]:
    """Training clips, and test clips with labels, whose attributes neither name nor attribute file tells.

    Nothing is said of machine types whose card says that they are hidden, nor where no clip of a folder has any.
    """
    card, own = holdings.card, holdings.expected
    for machine, part in holdings.parts.items():
        if own is not None and own.machines[machine].attributes_hidden:
            continue
        due = card is not None and card.year >= FIRST_WITH_ATTRIBUTES
        for split in ("train", "test"):
            clips = [one for one in part.recordings if one.split == split and one.facts.label is not None]
            bare = [one for one in clips if not one.facts.attributes]
            if bare and (due or len(bare) < len(clips)) and clips:
                yield Finding(
                    "attributes", "warning", machine, "",
                    f"{len(bare)} of {counted(len(clips), f'{split} clip')} without attributes"
                    + (", which the card does not say are hidden" if due else ""),
                    tuple(Place(holdings.relative(one.path)) for one in bare),
                )  # fmt: skip


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
        level, words = REPEATS[kind]
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
