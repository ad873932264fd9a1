"""The data of a challenge's year, found below a folder by the card's machine types and sections."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import DataError, UsageError, did_you_mean
from asdbench.datasets.audio import BadRecording, read_header
from asdbench.datasets.clip_counts import Group, mismatches
from asdbench.datasets.clips import Dataset
from asdbench.datasets.contents import ContentDigests
from asdbench.datasets.inventory import Inventory
from asdbench.datasets.layout import challenge_folders, list_machine
from asdbench.datasets.names import require_printable

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard, ChallengeSplit

DEFAULT_SPLIT = "dev"


def require_split(name: str, card: "ChallengeCard", split: str | None, machines: Sequence[str]) -> str:
    """The split that is meant, with its machine types checked; development data where none is named.

    Raises:
        UsageError: the challenge has no such split, or the split no such machine type.
    """
    split = split or DEFAULT_SPLIT
    if split not in card.splits:
        raise UsageError(f"{name} has no split '{split}'. Accepted: {', '.join(card.splits)}.")
    known = card.splits[split].machines
    for machine in machines:
        if machine not in known:
            hint = did_you_mean(machine, known)
            raise UsageError(f"{name} {split} has no machine '{machine}'.{hint} Accepted: {', '.join(known)}.")
    return split


def inventory_of_challenge(
    name: str, card: "ChallengeCard", split: str | None, root: Path, machines: Sequence[str] = ()
) -> Inventory:
    """What lies below a folder of a challenge's split.

    Raises:
        UsageError: the challenge has no such split or machine type.
        DataError: there is no such folder, nothing of the split in it, a machine type in two places, or a name that
            cannot be printed.
    """
    split = require_split(name, card, split, machines)
    content = card.splits[split]  # type: ignore[index]
    wanted = tuple(machine for machine in content.machines if not machines or machine in machines)
    folders = challenge_folders(root, card.year, split, wanted, name) if root.is_dir() else {}
    require_printable([root, *(place for places in folders.values() for place in places)])
    files = {
        machine: list_machine(machine, folders[machine], content.sections_of(machine))
        for machine in wanted
        if machine in folders
    }
    inventory = Inventory(f"{name}-{split}", root, files, wanted, card, split)
    if not files:
        why = f"no folder of {', '.join(wanted)}" if root.is_dir() else "there is no such folder"
        raise DataError(
            f"Nothing of {name} {split} lies below {root}: {why}.", advice=f"Get it: {inventory.download(machines)}"
        )
    return inventory


def read_challenge(inventory: Inventory, digests: ContentDigests | None = None) -> Dataset:
    """One table of the clips of a challenge's split.

    Raises:
        DataError: machine types are missing, or recordings cannot be used.
    """
    card, content = inventory.card, inventory.expected
    name, split, root = inventory.challenge, inventory.split, inventory.root
    assert card is not None
    assert content is not None
    if inventory.missing:
        present = " ".join(f"--machine {machine}" for machine in inventory.machines)
        raise DataError(
            f"{name} {split} is not complete below {root}: no recordings of {', '.join(inventory.missing)}.",
            advice=f"Get it: {inventory.download(inventory.missing)}\nOr use a part of it: {present}",
        )
    foreign = []
    for machine, files in inventory.machines.items():
        splits = [one for one in card.splits.values() if machine in one.machines]
        strange = files.other_sections - {number for one in splits for number in one.sections_of(machine)}
        if strange:
            foreign.append(f"{machine}: section {', '.join(sorted(strange))}")
    if foreign:
        raise DataError(
            f"{root} holds sections that {name} does not have:",
            foreign,
            "Is it another year's data? Folders named for their year (dcase2022/, dcase2023/) keep years apart.",
        )
    table = inventory.to_dataset(digests)
    if table.layout != card.layout:
        raise DataError(
            f"The recordings below {root} have the names and folders of {table.layout}, not those of {name}.",
            advice=f"Is it another year's data? See: asdbench data verify {name} --split {split} --data-root {root}",
        )
    return replace(table, lacks=tuple(_lacks(card, content, table)))


def _lacks(card: "ChallengeCard", split: "ChallengeSplit", table: Dataset) -> Iterator[str]:
    """What is not as the card says: machine types, sections, numbers of clips, channels."""
    groups: dict[tuple[str, str, str], list[Group]] = defaultdict(list)
    for clip in table:
        groups[clip.machine, clip.section, clip.split].append((clip.domain, clip.label))
    absent = [machine for machine in split.machines if machine not in table.machines]
    if absent:
        yield f"left out: {', '.join(absent)}"
    for machine in (machine for machine in split.machines if machine in table.machines):
        channels = _channels(next(clip.path for clip in table if clip.machine == machine))
        if channels not in (None, card.channels):
            yield f"{machine} has {channels} channels, not {card.channels}"
        for section in split.sections_of(machine):
            if (machine, section, "test") not in groups:
                yield f"{machine}, section {section} is left out"
                continue
            counts = split.counts_of(machine, section)
            for part, expected in (("train", counts.train), ("test", counts.test)):
                differing = mismatches(expected, groups[machine, section, part])
                if differing:
                    yield f"{machine}, section {section}, {part} clips: {', '.join(differing)}"


def _channels(path: Path) -> int | None:
    """Of a recording; None of one that cannot be used, which is reported when it is decoded."""
    try:
        return read_header(path).channels
    except BadRecording:
        return None
