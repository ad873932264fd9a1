"""List the recordings of machine types' folders and what their names say; collect every problem, stop at none."""

import os
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from asdbench.datasets.arrangements import SPLIT_FOLDERS, MachineFolders
from asdbench.datasets.clips import Domain, Split
from asdbench.datasets.names import Attributes, NameFacts, parse_name, parse_supplemental_name, read_attribute_files
from asdbench.datasets.plain_names import WHY, is_plain, same_name, shown

ENDINGS = (".wav", ".flac")


@dataclass(frozen=True)
class Recording:
    """A file that is named like a clip; nobody has looked into it yet."""

    path: Path
    machine: str
    split: Split
    facts: NameFacts
    attributes_from_file: bool = False


@dataclass
class Inventory:
    """What lies in the folders.

    Attributes:
        recordings: all of them, in the order of machine type, folder and name.
        problems: one line for each thing that cannot be used.
        empty: one line for each split without recordings.
        left_out: recordings of sections that were not asked for.
        other_sections: those sections.
        foreign: one line for each machine type with sections that the challenge does not have.
    """

    recordings: list[Recording] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    left_out: int = 0
    other_sections: set[str] = field(default_factory=set)
    foreign: list[str] = field(default_factory=list)


def take_inventory(folders: MachineFolders, sections: Collection[str] | None = None) -> Inventory:
    """List all recordings.

    Args:
        folders: where each machine type lies.
        sections: numbers of the sections that count; None is all.
    """
    found = Inventory()
    for machine, places in sorted(folders.items()):
        attributes: dict[str, Attributes] = {}
        for place in places:
            for stem, pairs in read_attribute_files(place, found.problems).items():
                if attributes.setdefault(stem, pairs) != pairs:
                    found.problems.append(
                        f"{place}: {stem} has other attributes here than in another folder of {machine}"
                    )
        own: list[Recording] = []
        for place in places:
            for name, (split, domain) in SPLIT_FOLDERS.items():
                for path in _files(place / name, found.problems):
                    facts = _facts(path, split, domain, found.problems)
                    if facts is None:
                        continue
                    pairs = attributes.get(path.stem, ())
                    # The name comes first: the files of 2022 hold one attribute where the name holds all.
                    from_file = bool(pairs) and not facts.attributes
                    if from_file:
                        facts = replace(facts, attributes=pairs)
                    own.append(Recording(path, machine, split, facts, from_file))
        found.problems += _doubled(own)
        selected = [one for one in own if sections is None or one.facts.section in sections]
        found.left_out += len(own) - len(selected)
        found.other_sections |= {one.facts.section for one in own} - {one.facts.section for one in selected}
        found.recordings += selected
        for split in ("train", "test"):
            if not any(one.split == split for one in selected):
                found.empty.append(f"{places[0] / split}: no recordings")
    return found


def _files(folder: Path, problems: list[str]) -> list[Path]:
    """Recordings in a folder, sorted by name."""
    try:
        with os.scandir(folder) as entries:
            visible = sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(f"{folder}: cannot be read: {error.strerror}")
        return []
    usable = []
    for entry in visible:
        path = folder / entry.name
        if not is_plain(entry.name):
            problems.append(f"{folder / shown(entry.name)}: {WHY}")
        elif path.suffix.lower() in ENDINGS and entry.is_file():
            usable.append(path)
        else:
            what = "a link that leads nowhere" if entry.is_symlink() else "not a .wav or .flac file"
            problems.append(f"{path}: {what}")
    return usable


def _doubled(recordings: Collection[Recording]) -> list[str]:
    """Recordings of one machine type and split that differ in folder, ending or capitals alone.

    Score files, tables of embeddings and attribute files know clips by name, so that one row would stand for several.
    """
    by_name: dict[tuple[Split, str], list[Path]] = {}
    for one in recordings:
        by_name.setdefault((one.split, same_name(one.path.stem)), []).append(one.path)
    return [
        f"{path}: has the name of {' and '.join(_beside(path, other) for other in paths if other is not path)}; "
        "keep one of them, or give them numbers of their own"
        for paths in by_name.values()
        if len(paths) > 1
        for path in paths
    ]


def _beside(path: Path, other: Path) -> str:
    return other.name if other.parent == path.parent else f"{other.parent.name}/{other.name}"


def _facts(path: Path, split: Split, domain: Domain | None, problems: list[str]) -> NameFacts | None:
    facts = parse_supplemental_name(path.stem) if split == "supplemental" else parse_name(path.stem)
    if facts is None:
        problems.append(f"{path}: the name fits no known layout")
    elif facts.split not in (None, split):
        problems.append(f"{path}: the name says {facts.split}, the folder {split}")
    elif domain is not None and facts.domain not in (None, domain):
        problems.append(f"{path}: the name says {facts.domain}, the folder {domain}")
    elif split == "train" and facts.label == 1:
        problems.append(f"{path}: a training clip labelled anomalous; training clips must be normal")
    elif split == "train" and facts.label is None:
        problems.append(f"{path}: a training clip must be labelled normal in its name")
    elif domain is not None and facts.layout != "dcase2023":
        problems.append(f"{path}: the name is one of {facts.layout}, the folder {path.parent.name} one of dcase2021")
    elif domain is not None:  # only 2021 keeps the domains' test clips apart
        return replace(facts, layout="dcase2021", domain=domain)
    else:
        return facts
    return None


def layouts(recordings: Collection[Recording]) -> dict[str, int]:
    """Count of recordings by layout; one ``source_test`` folder makes the data set one of 2021."""
    counts: dict[str, int] = {}
    for one in recordings:
        counts[one.facts.layout] = counts.get(one.facts.layout, 0) + 1
    if "dcase2021" in counts:
        tested = any(one.split == "test" and one.facts.layout == "dcase2023" for one in recordings)
        if not tested:  # the names of 2021's training clips are those of later years
            counts["dcase2021"] += counts.pop("dcase2023", 0)
    return counts
