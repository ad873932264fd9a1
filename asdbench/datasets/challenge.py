"""The data of a challenge's year, found below a folder by the card's machine types and sections."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import DataError, UsageError, did_you_mean
from asdbench.datasets.arrangements import MachineFolders, challenge_folders
from asdbench.datasets.audio import BadRecording, read_header
from asdbench.datasets.clip_counts import Group, mismatches
from asdbench.datasets.clips import Dataset
from asdbench.datasets.contents import ContentDigests
from asdbench.datasets.folder import make_table
from asdbench.datasets.inventory import Inventory, take_inventory
from asdbench.datasets.plain_names import require_plain

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


def challenge_inventory(
    name: str, card: "ChallengeCard", split: str, root: Path, machines: Sequence[str] = ()
) -> tuple[Inventory, MachineFolders]:
    """What lies below ``root`` of a split, and where; machine types that are not there are simply absent.

    Raises:
        DataError: there is no such folder, a name in it cannot be printed, or a machine type lies in two places.
    """
    own = card.splits[split]  # type: ignore[index]
    wanted = [machine for machine in own.machines if not machines or machine in machines]
    if not root.is_dir():
        raise DataError(f"There is no folder {root}.", advice=_download(name, split, root, machines))
    folders = challenge_folders(root, card.year, split, wanted, name)
    require_plain(root, folders)
    found = Inventory()
    for machine, places in folders.items():  # sections differ between machine types in 2020
        part = take_inventory({machine: places}, own.sections_of(machine))
        found.recordings += part.recordings
        found.problems += part.problems
        found.empty += part.empty
        found.left_out += part.left_out
        splits = [one for one in card.splits.values() if machine in one.machines]
        known = {number for one in splits for number in one.sections_of(machine)}
        if part.other_sections - known:
            found.foreign.append(f"{machine}: section {', '.join(sorted(part.other_sections - known))}")
    return found, folders


def read_challenge(
    name: str,
    card: "ChallengeCard",
    split: str,
    root: Path,
    digests: ContentDigests | None = None,
    machines: Sequence[str] = (),
) -> Dataset:
    """One table of a split's clips, of all its machine types or of those named.

    Raises:
        DataError: machine types are missing, or recordings cannot be used.
    """
    found, folders = challenge_inventory(name, card, split, root, machines)
    own = card.splits[split]  # type: ignore[index]
    missing = [machine for machine in own.machines if machine not in folders and (not machines or machine in machines)]
    if missing:
        raise DataError(
            f"{name} {split} is not complete below {root}: no recordings of {', '.join(missing)}.",
            advice=_download(name, split, root, missing if folders else machines)
            + ("\nOr use a part of it: " + " ".join(f"--machine {machine}" for machine in folders) if folders else ""),
        )
    if found.foreign:
        raise DataError(
            f"{root} holds sections that {name} does not have:",
            found.foreign,
            "Is it another year's data? Folders named for their year (dcase2022/, dcase2023/) keep years apart.",
        )
    table = make_table(f"{name}-{split}", root, found, card.protocol, digests)
    if table.layout != card.layout:
        raise DataError(
            f"The recordings below {root} have the names and folders of {table.layout}, not those of {name}.",
            advice=f"Is it another year's data? See: asdbench data verify {name} --split {split} --data-root {root}",
        )
    return replace(table, lacks=tuple(_lacks(card, own, table)))


def _lacks(card: "ChallengeCard", split: "ChallengeSplit", table: Dataset) -> Iterator[str]:
    """What is not as the card says: machine types, sections, numbers of clips, channels."""
    found: dict[tuple[str, str, str], list[Group]] = {}
    for clip in table:
        found.setdefault((clip.machine, clip.section, clip.split), []).append((clip.domain, clip.label))
    there = {machine for machine, *_ in found}
    absent = [machine for machine in split.machines if machine not in there]
    if absent:
        yield f"left out: {', '.join(absent)}"
    for machine in (machine for machine in split.machines if machine in there):
        channels = _channels(next(clip.path for clip in table if clip.machine == machine))
        if channels not in (None, card.channels):
            yield f"{machine} has {channels} channels, not {card.channels}"
        for section in split.sections_of(machine):
            if (machine, section, "test") not in found:
                yield f"{machine}, section {section} is left out"
                continue
            counts = split.counts_of(machine, section)
            for part, expected in (("train", counts.train), ("test", counts.test)):
                differing = mismatches(expected, found.get((machine, section, part), []))
                if differing:
                    yield f"{machine}, section {section}, {part} clips: {', '.join(differing)}"


def _channels(path: Path) -> int | None:
    """Of a recording; None of one that cannot be used, which is said when it is decoded."""
    try:
        return read_header(path).channels
    except BadRecording:
        return None


def _download(name: str, split: str, root: Path, machines: Sequence[str]) -> str:
    named = "".join(f" --machine {machine}" for machine in machines)
    return f"Get it: asdbench data download {name} --split {split}{named} --data-root {root}"
