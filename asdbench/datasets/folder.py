"""Read any folder that holds ``<machine>/train`` and ``<machine>/test`` in a DCASE layout."""

from collections import Counter
from pathlib import Path

from asdbench.core.errors import DataError
from asdbench.datasets.clips import Clip, ClipTable, Split
from asdbench.datasets.contents import ContentDigests
from asdbench.datasets.names import EXAMPLES, NameFacts, parse_name

ENDINGS = (".wav", ".flac")
LAYOUT_HELP = (
    "Expected: FOLDER/<machine>/train and FOLDER/<machine>/test with .wav or .flac files named like "
    f"{EXAMPLES['dcase2023']} or {EXAMPLES['dcase2020']}."
)


def read_folder(root: Path, name: str | None = None, digests: ContentDigests | None = None) -> ClipTable:
    """One table of all clips below ``root``.

    Args:
        root: the folder that holds one folder for each machine type.
        name: what the data set is called in records; the folder's name when not given.
        digests: digests of recordings known from before.

    Raises:
        DataError: no machine, a machine without training or test clips, names that fit no layout, files that are
            no recordings, training clips labelled anomalous. All problems of one kind are listed.
    """
    root = root.resolve()
    machines = _machine_folders(root)
    problems: list[str] = []
    found: list[tuple[Path, str, Split, NameFacts]] = []
    for machine in machines:
        for split in ("train", "test"):
            files = _recordings(machine / split, problems)
            found += [
                (path, machine.name, split, facts)
                for path in files
                if (facts := _facts(path, split, problems)) is not None
            ]
            if not files:
                problems.append(f"{machine / split}: no recordings")
    if problems:
        raise DataError(f"{root} cannot be used as a data set:", problems, LAYOUT_HELP)
    layouts = Counter(facts.layout for *_, facts in found)
    if len(layouts) > 1:
        raise DataError(
            f"{root} mixes two layouts: {' and '.join(f'{n} clips of {y}' for y, n in sorted(layouts.items()))}.",
            advice="Keep the years in folders of their own.",
        )
    keys = (digests or ContentDigests(None)).of([path for path, *_ in found])
    clips = (
        Clip(path, machine, facts.section, facts.domain, split, facts.label, facts.attributes, key)
        for (path, machine, split, facts), key in zip(found, keys, strict=True)
    )
    ordered = tuple(sorted(clips, key=lambda clip: (clip.machine, clip.split, clip.name)))
    return ClipTable(name or root.name, next(iter(layouts)), ordered)


def _machine_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise DataError(f"There is no folder {root}.", advice=LAYOUT_HELP)
    if (root / "train").is_dir() and (root / "test").is_dir():
        raise DataError(
            f"{root} is the folder of one machine.",
            advice=f"Give the folder above it: --dataset {root.parent} --machine {root.name}",
        )
    folders = [
        folder
        for folder in sorted(root.iterdir())
        if folder.is_dir() and any((folder / split).is_dir() for split in ("train", "test"))
    ]
    if not folders:
        raise DataError(f"{root} holds no machine.", advice=LAYOUT_HELP)
    return folders


def _recordings(folder: Path, problems: list[str]) -> list[Path]:
    if not folder.is_dir():
        return []
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    problems += [f"{path}: not a .wav or .flac file" for path in visible if path.suffix.lower() not in ENDINGS]
    return [path for path in visible if path.suffix.lower() in ENDINGS]


def _facts(path: Path, split: str, problems: list[str]) -> NameFacts | None:
    facts = parse_name(path.stem)
    if facts is None:
        problems.append(f"{path}: the name fits no known layout")
    elif facts.split not in (None, split):
        problems.append(f"{path}: the name says {facts.split}, the folder {split}")
    elif split == "train" and facts.label == 1:
        problems.append(f"{path}: a training clip labelled anomalous; training clips must be normal")
    elif split == "train" and facts.label is None:
        problems.append(f"{path}: a training clip must be labelled normal in its name")
    else:
        return facts
    return None
