"""Compare what is there with what the card says should be."""

from collections.abc import Iterator

from asdbench.datasets.audit.findings import Finding, Place, counted
from asdbench.datasets.audit.holdings import Holdings
from asdbench.datasets.clip_counts import mismatches
from asdbench.datasets.inventory import Recording, layouts
from asdbench.registry.challenge_card import ClipCounts

TRAIN_AND_TEST = ("train", "test")


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
