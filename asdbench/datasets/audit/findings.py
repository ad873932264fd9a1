"""What an audit reports: findings, and one line for each machine type and section."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asdbench.datasets.audio import Header
from asdbench.datasets.clips import Clip
from asdbench.datasets.inventory import Inventory

Level = Literal["error", "warning"]
LABELS = {0: "normal", 1: "anomaly", None: "unlabelled"}


@dataclass(frozen=True)
class Place:
    """A file that a finding is about.

    Attributes:
        file: path below the data set's folder.
        note: what is the matter with this one, where the files differ in it.
    """

    file: str
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one machine type, and all files that show it.

    Attributes:
        kind: short name, the same for the same kind of fault ("leak", "count").
        level: an "error" makes results wrong or runs impossible; a "warning" is to be looked at.
        machine: machine type; several are joined by " and "; empty when it is the data set as a whole.
        section: section number; empty when it is all of the machine type.
        message: what is wrong, without the machine and section.
        files: the files, in order.
    """

    kind: str
    level: Level
    machine: str
    section: str
    message: str
    files: tuple[Place, ...] = ()

    @property
    def machines(self) -> list[str]:
        """Machine types that it is about."""
        return self.machine.split(" and ") if self.machine else []


@dataclass(frozen=True)
class Row:
    """What lies there of one section.

    Attributes:
        machine: machine type.
        section: section number.
        clips: recordings by split.
        expected: the same as the card says; without the splits that it does not know.
        rates_hz: sample rates.
        channels: numbers of channels.
        shortest_s: length (s) of the shortest clip; 0 where no header could be read.
        longest_s: length (s) of the longest clip.
        attributes: of training clips: "known", "none", "hidden" where the card says why there are none, or how many
            have any; empty where there are no training clips.
    """

    machine: str
    section: str
    clips: dict[str, int]
    expected: dict[str, int]
    rates_hz: tuple[int, ...]
    channels: tuple[int, ...]
    shortest_s: float
    longest_s: float
    attributes: str


def counted(number: int, one: str, many: str | None = None) -> str:
    """``"1 recording"``, ``"2 recordings"``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def rows(inventory: Inventory, headers: Mapping[Path, Header | None]) -> list[Row]:
    """A row for every section that is there or should be."""
    result = []
    for machine, section, here in inventory.sections():
        known = [header for one in here if (header := headers.get(one.path)) is not None]
        row = Row(
            machine=machine,
            section=section,
            clips=dict(Counter(one.split for one in here)),
            expected=_expected(inventory, machine, section),
            rates_hz=tuple(sorted({header.rate_hz for header in known})),
            channels=tuple(sorted({header.channels for header in known})),
            shortest_s=min((header.seconds for header in known), default=0.0),
            longest_s=max((header.seconds for header in known), default=0.0),
            attributes=_attributes(inventory, machine, [one for one in here if one.split == "train"]),
        )
        result.append(row)
    return result


def _expected(inventory: Inventory, machine: str, section: str) -> dict[str, int]:
    content = inventory.expected
    if content is None or section not in content.sections_of(machine):
        return {}
    counts = content.counts_of(machine, section)
    numbers = {"train": sum(counts.train.values()), "test": sum(counts.test.values())}
    if len(content.sections_of(machine)) == 1:
        numbers["supplemental"] = content.supplemental or 0
    return {split: number for split, number in numbers.items() if number}


def _attributes(inventory: Inventory, machine: str, clips: list[Clip]) -> str:
    known = sum(bool(one.attributes) for one in clips)
    if 0 < known < len(clips):
        return f"{known} of {len(clips)}"
    hidden = inventory.expected is not None and inventory.expected.machines[machine].attributes_hidden
    return ("known" if known else "hidden" if hidden else "none") if clips else ""


def counts(inventory: Inventory) -> list[dict[str, str | int]]:
    """Numbers of clips by machine, section, split, domain ("-" without) and label."""
    columns = ("machine", "section", "split", "domain", "label")
    numbers = Counter(
        (one.machine, one.section, one.split, one.domain or "-", LABELS[one.label]) for one in inventory.recordings
    )
    return [{**dict(zip(columns, key, strict=True)), "clips": number} for key, number in sorted(numbers.items())]


def values_of_attributes(inventory: Inventory) -> dict[str, list[str]]:
    """Every attribute and its values, sorted."""
    values: dict[str, set[str]] = {}
    for name, value in (pair for one in inventory.recordings for pair in one.attributes):
        values.setdefault(name, set()).add(value)
    return {name: sorted(some) for name, some in sorted(values.items())}


def layout_of(inventory: Inventory) -> str:
    """The card's layout, else that of the names; several are joined by " and "."""
    if inventory.card is not None:
        return inventory.card.layout
    return " and ".join(sorted(inventory.layouts))


def lacking(inventory: Inventory) -> list[str]:
    """What is not there, one line for each machine type or section; empty when nothing is missing."""
    lines = [f"{machine}: nothing of it" for machine in inventory.missing]
    for machine, section, here in inventory.sections():
        # What a folder without a card lacks are training clips alone: who wants a detector needs no others.
        needed = ("train", "test") if inventory.card else ("train",)
        without = [split for split in needed if not any(one.split == split for one in here)]
        if machine in inventory.machines and without:
            lines.append(f"{machine} section {section}: no {' and no '.join(without)} recordings")
    return lines
