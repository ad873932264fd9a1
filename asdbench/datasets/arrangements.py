"""Find the folders of machine types below a folder, in the arrangements that people keep them in.

``<machine>/train``; ``dev_data/raw/<machine>/train`` as the official baselines want it; zips unpacked into folders of
their own (``eval_data_fan_train/fan/train`` beside ``eval_data_fan_test/fan/test``).
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from asdbench.core.errors import DataError
from asdbench.datasets.clips import Domain, Split

# Folder -> split and, in 2021, domain of what lies in it.
SPLIT_FOLDERS: dict[str, tuple[Split, Domain | None]] = {
    "train": ("train", None),
    "test": ("test", None),
    "source_test": ("test", "source"),
    "target_test": ("test", "target"),
    "supplemental": ("supplemental", None),
}
DEPTH = 4  # <root>/dcase2023/dev_data/raw/<machine>
# Folders that may stand between the root and a machine type's; others are not looked into.
_BETWEEN = re.compile(r"dcase.*|task[-_ ]?2.*|dev.*|eval.*|raw|data", re.IGNORECASE)
_SPLIT_WORD = re.compile(r"(dev|eval)(elopment|uation)?(_|-|$)", re.IGNORECASE)
_YEAR = re.compile(r"dcase[-_ ]?(20\d\d)", re.IGNORECASE)

MachineFolders = dict[str, list[Path]]  # machine type -> where it lies; several places for zips unpacked apart


def machine_folders(root: Path, known: Collection[str] | None = None) -> MachineFolders:
    """Every machine type below ``root``, which is one data set.

    Args:
        root: folder to look in, up to four folders deep.
        known: names that count as machine types; None is all.

    Raises:
        DataError: development and evaluation data lie in it, or a machine type lies in two places.
    """
    found: MachineFolders = {}
    for folder in _walk(root, DEPTH):
        if known is None or folder.name in known:
            found.setdefault(folder.name, []).append(folder)
    splits = {split_word(folder, root) for folders in found.values() for folder in folders} - {None}
    if len(splits) > 1:
        raise DataError(
            f"{root} holds development and evaluation data.",
            advice="Give the folder of one of them, or a card: --dataset dcase2023 --split dev --data-root DIR",
        )
    _require_one_place(found, root)
    return found


def challenge_folders(root: Path, year: int, split: str, known: Collection[str], name: str = "") -> MachineFolders:
    """The machine types of one challenge's split below a folder that may hold several years.

    A folder whose path names another year or the other split is left out; one that names neither counts. Folders are
    looked into when they are named like those of a challenge, or ``name``.

    Raises:
        DataError: a machine type lies in two places.
    """
    found: MachineFolders = {}
    for folder in _walk(root, DEPTH + 1, name):
        named = [int(match[1]) for part in folder.relative_to(root).parts if (match := _YEAR.match(part))]
        if folder.name in known and set(named) <= {year} and split_word(folder, root) in (None, split):
            found.setdefault(folder.name, []).append(folder)
    for machine, folders in found.items():  # those under a folder of this year's name come first
        own = [folder for folder in folders if _YEAR.search(str(folder.relative_to(root)))]
        found[machine] = own or folders
    _require_one_place(found, root)
    return found


def split_word(folder: Path, root: Path) -> str | None:
    """Give "dev" or "eval" when a folder between ``root`` and the machine's says so."""
    words = [match[1].lower() for part in folder.relative_to(root).parts[:-1] if (match := _SPLIT_WORD.match(part))]
    return words[-1] if words else None


def _walk(folder: Path, depth: int, name: str = "") -> Iterator[Path]:
    """Folders that hold a split's folder, without looking into those."""
    for child in sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir()):
        if any((child / name).is_dir() for name in SPLIT_FOLDERS):
            yield child
        elif depth > 1 and (child.name == name or _BETWEEN.fullmatch(child.name)):
            yield from _walk(child, depth - 1, name)


def _require_one_place(found: MachineFolders, root: Path) -> None:
    twice = []
    for machine, folders in found.items():
        names = [name for folder in folders for name in SPLIT_FOLDERS if (folder / name).is_dir()]
        if len(set(names)) < len(names):
            twice.append(f"{machine}: {' and '.join(map(str, folders))}")
    if twice:
        raise DataError(f"{root} holds machine types in two places:", twice, "Give the folder above one of them.")
