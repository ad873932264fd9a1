"""Read any folder that holds ``<machine>/train`` and ``<machine>/test`` in a DCASE layout."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from asdbench.core.errors import DataError, UsageError, did_you_mean
from asdbench.datasets.clips import Clip, ClipTable, Split
from asdbench.datasets.contents import ContentDigests
from asdbench.datasets.names import EXAMPLES, NameFacts, parse_name

ENDINGS = (".wav", ".flac")
LAYOUT_HELP = (
    "Expected: FOLDER/<machine>/train and FOLDER/<machine>/test with .wav or .flac files named like "
    f"{EXAMPLES['dcase2023']} or {EXAMPLES['dcase2020']}."
)


def read_folder(
    root: Path, name: str | None = None, digests: ContentDigests | None = None, machines: Sequence[str] = ()
) -> ClipTable:
    """One table of all clips below ``root``.

    Args:
        root: the folder that holds one folder for each machine type.
        name: what the data set is called in records; the folder's name when not given.
        digests: digests of recordings known from before.
        machines: only these machine types; the others are not looked at. Empty is all.

    Raises:
        UsageError: there is no machine type of a name in ``machines``.
        DataError: no machine, a machine without training or test clips, names that fit no layout, files that are
            no recordings, training clips labelled anomalous. All problems of one kind are listed.
    """
    root = root.resolve()
    folders = _pick(_machine_folders(root), machines, name or root.name)
    problems: list[str] = []
    found: list[tuple[Path, str, Split, NameFacts]] = []
    for machine in folders:
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
    try:
        keys = (digests or ContentDigests(None)).of([path for path, *_ in found])
    except PermissionError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error
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


def _pick(folders: list[Path], machines: Sequence[str], dataset: str) -> list[Path]:
    known = [folder.name for folder in folders]
    for machine in machines:
        if machine not in known:
            hint = did_you_mean(machine, known)
            raise UsageError(f"{dataset} has no machine '{machine}'.{hint} Accepted: {', '.join(known)}.")
    return [folder for folder in folders if not machines or folder.name in machines]


def _recordings(folder: Path, problems: list[str]) -> list[Path]:
    if not folder.is_dir():
        return []
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    usable = [path for path in visible if path.suffix.lower() in ENDINGS and path.is_file()]
    problems += [
        f"{path}: {'a link that leads nowhere' if path.is_symlink() else 'not a .wav or .flac file'}"
        for path in visible
        if path not in usable
    ]
    return usable


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
