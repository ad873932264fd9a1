"""Recognise a layout: the folders of machine types below a folder, and the recordings in them by their names.

Machine types are found in the arrangements that people have: ``<machine>/train``; ``dev_data/raw/<machine>/train`` as
the official baselines want it; zips unpacked into folders of their own (``eval_data_fan_train/fan/train`` beside
``eval_data_fan_test/fan/test``). Every problem is collected; none stops the listing.
"""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asdbench.core.errors import DataError
from asdbench.datasets.clips import Clip, Domain, Split
from asdbench.datasets.names import (
    UNPRINTABLE,
    Attributes,
    NameFacts,
    is_printable,
    parse_name,
    parse_supplemental_name,
    printable,
    read_attribute_files,
    same_name,
)

# Folder -> split and, in 2021, domain of what lies in it.
SPLIT_FOLDERS: dict[str, tuple[Split, Domain | None]] = {
    "train": ("train", None),
    "test": ("test", None),
    "source_test": ("test", "source"),
    "target_test": ("test", "target"),
    "supplemental": ("supplemental", None),
}
ENDINGS = (".wav", ".flac")
DEPTH = 4  # <root>/dcase2023/dev_data/raw/<machine>
# Folders that may stand between the root and a machine type's; others are not looked into.
_BETWEEN = re.compile(r"dcase.*|task[-_ ]?2.*|dev.*|eval.*|raw|data", re.IGNORECASE)
_SPLIT_NAME = re.compile(r"(dev|eval)(elopment|uation)?(_|-|$)", re.IGNORECASE)
_YEAR = re.compile(r"dcase[-_ ]?(20\d\d)", re.IGNORECASE)

MachineFolders = dict[str, list[Path]]  # machine type -> where it lies; several places for zips unpacked apart


@dataclass
class MachineFiles:
    """What lies in the folders of one machine type.

    Attributes:
        recordings: files named like clips, in the order of folder and name; their content was not looked at.
        layouts: how many of them have the names and folders of which layout, by layout and split.
        problems: one line for each thing that cannot be used.
        empty: one line for each split without recordings, by split.
        ignored: what is no recording, or lies where none is looked for.
        left_out: recordings of sections that were not asked for.
        other_sections: those sections.
    """

    recordings: list[Clip] = field(default_factory=list)
    layouts: Counter[tuple[str, Split]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    empty: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    left_out: int = 0
    other_sections: set[str] = field(default_factory=set)


def machine_folders(root: Path) -> MachineFolders:
    """Every machine type below ``root``, which is one data set, up to four folders deep, or ``root`` itself.

    Empty where no recording in them has a name of the challenge: such a folder is one of names of one's own.

    Raises:
        DataError: development and evaluation data lie in it, or a machine type lies in two places.
    """
    machines: MachineFolders = {}
    if any((root / name).is_dir() for name in SPLIT_FOLDERS):
        return {root.name: [root]} if _has_challenge_names(root) else {}
    if not any(map(_has_challenge_names, _walk(root, DEPTH))):
        return {}
    for folder in _walk(root, DEPTH):
        machines.setdefault(folder.name, []).append(folder)
    if len({_named_split(folder, root) for folders in machines.values() for folder in folders} - {None}) > 1:
        raise DataError(
            f"{root} holds development and evaluation data.",
            advice="Give the folder of one of them, or a card: --dataset dcase2023 --split dev --data-root DIR",
        )
    _require_one_place(machines, root)
    return machines


def _has_challenge_names(place: Path) -> bool:
    """Whether a recording in a machine type's folder is named as those of the challenge are."""
    return any(
        is_recording(path.name) and (parse_name(path.stem) or parse_supplemental_name(path.stem))
        for name in SPLIT_FOLDERS
        if (place / name).is_dir()
        for path in (place / name).iterdir()
    )


def challenge_folders(root: Path, year: int, split: str, known: Collection[str], name: str = "") -> MachineFolders:
    """The machine types of one challenge's split below a folder that may hold several years.

    A folder whose path names another year or the other split is left out; one that names neither counts. Folders are
    looked into when they are named like those of a challenge, or ``name``.

    Raises:
        DataError: a machine type lies in two places.
    """
    machines: MachineFolders = {}
    for folder in _walk(root, DEPTH + 1, name):
        years = {int(match[1]) for step in folder.relative_to(root).parts if (match := _YEAR.match(step))}
        if folder.name in known and years <= {year} and _named_split(folder, root) in (None, split):
            machines.setdefault(folder.name, []).append(folder)
    for machine, folders in machines.items():  # those under a folder of this year's name come first
        named = [folder for folder in folders if _YEAR.search(str(folder.relative_to(root)))]
        machines[machine] = named or folders
    _require_one_place(machines, root)
    return machines


def _named_split(folder: Path, root: Path) -> str | None:
    """Give "dev" or "eval" when a folder between ``root`` and the machine's says so."""
    names = [match[1].lower() for step in folder.relative_to(root).parts[:-1] if (match := _SPLIT_NAME.match(step))]
    return names[-1] if names else None


def _walk(folder: Path, depth: int, name: str = "") -> Iterator[Path]:
    """Folders that hold a split's folder, without looking into those."""
    visible = (path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
    for child in sorted(visible, key=lambda path: path.name):
        if any((child / name).is_dir() for name in SPLIT_FOLDERS):
            yield child
        elif depth > 1 and (child.name == name or _BETWEEN.fullmatch(child.name)):
            yield from _walk(child, depth - 1, name)


def _require_one_place(machines: MachineFolders, root: Path) -> None:
    twice = []
    for machine, folders in machines.items():
        if len(folders) == 1:
            continue
        names = [name for folder in folders for name in SPLIT_FOLDERS if (folder / name).is_dir()]
        if len(set(names)) < len(names):
            twice.append(f"{machine}: {' and '.join(map(str, folders))}")
    if twice:
        raise DataError(f"{root} holds machine types in two places:", twice, "Give the folder above one of them.")


def list_machine(machine: str, places: Collection[Path], sections: Collection[str] | None = None) -> MachineFiles:
    """List the recordings of a machine type.

    Args:
        machine: its name.
        places: folders that hold its splits' folders.
        sections: numbers of the sections that count; None is all.
    """
    files = MachineFiles()
    attributes: dict[str, Attributes] = {}
    for place in places:
        for stem, pairs in read_attribute_files(place, files.problems).items():
            if attributes.setdefault(stem, pairs) != pairs:
                files.problems.append(f"{place}: {stem} has other attributes here than in another folder of {machine}")
    listed: list[tuple[str, Clip]] = []
    for place in places:
        for name, (split, domain) in SPLIT_FOLDERS.items():
            others: list[Path] = []
            paths = audio_files(place / name, files.problems, others)
            files.problems += [f"{path}: not a .wav or .flac file" for path in others]
            for path in paths:
                facts = _facts(path, split, domain, files.problems)
                if facts is None:
                    continue
                # The name comes first: the files of 2022 hold one attribute where the name holds all.
                pairs = facts.attributes or attributes.get(path.stem, ())
                clip = Clip(
                    path,
                    machine,
                    facts.section,
                    facts.domain,
                    split,
                    facts.label,
                    pairs,
                    attributes_from_file=pairs != facts.attributes,
                )
                listed.append((facts.layout, clip))
    files.problems += doubled([clip for _, clip in listed])
    for layout, clip in listed:
        if sections is None or clip.section in sections:
            files.recordings.append(clip)
            files.layouts[layout, clip.split] += 1
        else:
            files.left_out += 1
            files.other_sections.add(clip.section)
    splits = {split for _, split in files.layouts}
    for split in ("train", "test"):
        if split not in splits:
            files.empty[split] = f"{next(iter(places)) / split}: no recordings"
    return files


def audio_files(folder: Path, problems: list[str], others: list[Path]) -> list[Path]:
    """Recordings in a folder, sorted by name.

    Args:
        folder: where they lie.
        problems: is given a line for each name that cannot be used and each link that leads nowhere.
        others: is given each file that is no recording, and each folder.
    """
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
        name, path = entry.name, folder / entry.name
        if not is_printable(name):
            problems.append(f"{folder / printable(name)}: {UNPRINTABLE}")
        elif is_recording(name) and entry.is_file():
            usable.append(path)
        elif entry.is_symlink() and not path.exists():
            problems.append(f"{path}: a link that leads nowhere")
        else:
            others.append(path)
    return usable


def is_recording(name: str) -> bool:
    """Whether a file's name ends as those of recordings do."""
    return name.lower().endswith(ENDINGS)


def _facts(path: Path, split: Split, domain: Domain | None, problems: list[str]) -> NameFacts | None:
    """What name and folder say of a recording; None, with a problem, where it cannot be used."""
    stem = path.name.rpartition(".")[0]
    facts = parse_supplemental_name(stem) if split == "supplemental" else parse_name(stem)
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
    elif domain is None:
        return facts
    elif facts.layout == "dcase2023":  # only 2021 has a folder for each domain's test clips
        return facts._replace(layout="dcase2021", domain=domain)
    else:
        problems.append(f"{path}: the name is one of {facts.layout}, the folder {path.parent.name} one of dcase2021")
    return None


def doubled(recordings: Collection[Clip]) -> list[str]:
    """Recordings of one machine type and split that differ in folder, ending or capitals alone.

    Score files, tables of embeddings and attribute files know clips by name, so that one row would stand for several.
    """
    names = [(one.split, same_name(one.stem)) for one in recordings]
    if len(set(names)) == len(names):
        return []
    by_name: dict[tuple[Split, str], list[Path]] = {}
    for name, one in zip(names, recordings, strict=True):
        by_name.setdefault(name, []).append(one.path)
    return [
        f"{path}: has the name of {' and '.join(_beside(path, other) for other in paths if other is not path)}; "
        "keep one of them, or give them numbers of their own"
        for paths in by_name.values()
        if len(paths) > 1
        for path in paths
    ]


def _beside(path: Path, other: Path) -> str:
    return other.name if other.parent == path.parent else f"{other.parent.name}/{other.name}"
