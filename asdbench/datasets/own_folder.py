"""Folders of recordings of any names: which of them are machines, and what the folders say of the recordings.

A folder that holds ``train/`` is one machine. Else those of its folders that hold ``train/`` are machines, else those
that hold recordings, which are training clips. Else it is one machine, and its recordings are training clips.
``train/`` and ``test/`` may hold folders that say the domain (source, target), in ``test/`` the label (normal, good;
anomaly, anomalous, abnormal), and one of another name, which is the attribute "folder".
"""

import os
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from asdbench.core.documentation import page
from asdbench.core.errors import DataError
from asdbench.datasets.clips import OWN, Clip, Split
from asdbench.datasets.layout import MachineFiles, audio_files, doubled, is_recording
from asdbench.datasets.names import parse_name, printable

Folders = tuple[str, ...]  # names, from above

LABELS = {"normal": 0, "good": 0, "anomaly": 1, "anomalous": 1, "abnormal": 1}
DOMAINS = ("source", "target")
SECTION = "00"  # of recordings that no section is known of
DEPTH = 3  # folders below train/ and test/: domain, label, one more
OTHER_AUDIO = (".aac", ".aif", ".aiff", ".caf", ".m4a", ".mp3", ".mp4", ".ogg", ".opus", ".wma")
BY_TABLE = (
    "or say what each recording is in a table, a row each with path, machine, split, domain, label as far as they are "
    f"known,\nand name the table in place of the folder ({page('how-to/data')})."
)
OWN_HELP = (
    "Accepted: .wav or .flac files of any names in a folder, in a folder for each machine, or in train/, test/normal "
    f"and test/anomaly there;\n{BY_TABLE}"
)


def own_machines(root: Path, name: str) -> dict[str, Path]:
    """The folder of each machine, by its name; empty where there are no recordings.

    Args:
        root: to look into.
        name: of the machine where the folder is that of one.

    Raises:
        DataError: recordings lie in the folder and in folders below, so that nothing says what is a machine.
    """
    if split_folder(root, "train").is_dir():
        return {name: root}
    below = [place for place in _sorted(root) if not place.name.startswith(".") and place.is_dir()]
    loose = audio_files(root, [], [])
    machines = {place.name: place for place in below if split_folder(place, "train").is_dir()}
    if not machines:
        machines = {place.name: place for place in below if audio_files(place, [], [])}
        if strange := [one for one in machines if one.lower() in (*LABELS, *DOMAINS, "test")]:
            raise DataError(
                f"{root} holds no train/, and {', '.join(strange)} beside it would be machines.",
                advice=f"Put healthy recordings into train/, others into test/normal and test/anomaly; {BY_TABLE}",
            )
    if machines and loose:
        raise DataError(
            f"{root} holds recordings itself ({loose[0].name} ...) and in folders: {', '.join(machines)}.",
            advice=f"Give those of one machine a folder, or put all of one machine into train/; {BY_TABLE}",
        )
    return machines or ({name: root} if loose else {})


def split_folder(place: Path, split: Split) -> Path:
    """``train`` or ``test`` in a machine's folder, in capitals or not."""
    return min((path for path in place.iterdir() if path.name.lower() == split), default=place / split)


def list_own_machine(machine: str, place: Path) -> MachineFiles:
    """The recordings of a machine by its folders; the content of files is not looked at."""
    files = MachineFiles()
    splits: dict[Split, Path] = {"train": split_folder(place, "train"), "test": split_folder(place, "test")}
    if splits["train"].is_dir():
        files.ignored += left_aside(place, splits.values())
    else:
        if splits["test"].is_dir():
            files.problems.append(f"{place}: holds test/ and no train/; put the healthy recordings into train/")
        splits = {"train": place}
    for split, folder in splits.items():
        found = list(_recordings(folder, files, None if folder == place else ()))
        clips = [clip for path, between in found if (clip := _clip(path, machine, split, between, files.problems))]
        if not found and folder.is_dir():
            files.empty[split] = f"{folder}: no recordings"
        files.recordings += with_names(clips)
    named = [one for one in files.recordings if parse_name(one.stem.rpartition("/")[2])]
    if named:
        files.problems.append(
            f"{named[0].path}: a name of the challenge (one of {len(named)} here), which says more than is read of "
            "names outside <machine>/train and <machine>/test"
        )
    files.problems += doubled(files.recordings)
    files.layouts.update((OWN, one.split) for one in files.recordings)
    return files


def with_names(clips: Sequence[Clip]) -> list[Clip]:
    """Clips of one machine and split, each named by its path below the deepest folder that holds them all."""
    if not clips:
        return []
    paths = [str(clip.path) for clip in clips]
    above = os.path.commonpath({os.path.dirname(path) for path in paths})  # noqa: PTH120
    start = len(above.rstrip(os.sep)) + 1
    return [clip.but(name=path[start:].replace(os.sep, "/")) for clip, path in zip(clips, paths, strict=True)]


def left_aside(root: Path, machines: Collection[Path]) -> list[str]:
    """What lies in a folder beside what is read of it, a line each."""
    others = (path for path in _sorted(root) if path not in machines and not path.name.startswith("."))
    return [f"{printable(str(path))}: {_kind(path)}" for path in others]


def _sorted(folder: Path) -> list[Path]:
    """What lies in a folder, by name."""
    return sorted(folder.iterdir(), key=lambda path: path.name)


def _kind(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    return "a recording beside train/" if is_recording(path.name) else "no recording"


def _recordings(folder: Path, files: MachineFiles, folders: Folders | None) -> Iterator[tuple[Path, Folders]]:
    """Recordings in a folder and those below, each with the folders between; ``None`` looks into no others."""
    others: list[Path] = []
    for path in audio_files(folder, files.problems, others):
        yield path, folders or ()
    for path in others:
        if path.is_dir() and folders is not None and len(folders) < DEPTH:
            yield from _recordings(path, files, (*folders, path.name))
        elif path.is_dir() or path.suffix.lower() not in OTHER_AUDIO:
            files.ignored.append(f"{path}: {_kind(path)}")
        else:
            files.problems.append(f"{path}: {path.suffix} is not read; convert it to WAV, with ffmpeg for instance")


def _clip(path: Path, machine: str, split: Split, folders: Folders, problems: list[str]) -> Clip | None:
    """What the folders say of a recording; None, with a problem, where that is not clear."""
    domains, labels, others = _said(folders)
    if max(len(domains), len(labels), len(others)) > 1:
        line = f"{path.parent}: lies too deep; below {split}/ a folder each may say domain, label and one attribute"
        problems += [line] if problems[-1:] != [line] else []
    elif split == "train" and 1 in labels:
        problems.append(f"{path}: a training clip labelled anomalous; training clips must be normal")
    else:
        return Clip(
            path=path,
            machine=machine,
            section=SECTION,
            domain=domains[0] if domains else None,  # type: ignore[arg-type]  # one of DOMAINS
            split=split,
            label=labels[0] if labels else 0 if split == "train" else None,
            attributes=(("folder", others[0]),) if others else (),
            attributes_from_file=bool(others),
        )
    return None


@lru_cache(64)  # many recordings lie in each
def _said(folders: Folders) -> tuple[list[str], list[int], list[str]]:
    """What the names of folders say: domains, labels and others."""
    domains = [name.lower() for name in folders if name.lower() in DOMAINS]
    labels = [LABELS[name.lower()] for name in folders if name.lower() in LABELS]
    others = [name for name in folders if name.lower() not in (*DOMAINS, *LABELS)]
    return domains, labels, others
