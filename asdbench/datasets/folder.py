"""Read a folder of recordings in a DCASE layout into one table of clips."""

from collections.abc import Sequence
from pathlib import Path

from asdbench.core.errors import DataError, UsageError, did_you_mean
from asdbench.datasets.arrangements import SPLIT_FOLDERS, MachineFolders, machine_folders
from asdbench.datasets.clips import Clip, Dataset
from asdbench.datasets.contents import ContentDigests
from asdbench.datasets.inventory import Inventory, Recording, layouts, take_inventory
from asdbench.datasets.names import EXAMPLES
from asdbench.datasets.plain_names import require_plain, shown

LAYOUT_HELP = (
    "Expected: FOLDER/<machine>/train and FOLDER/<machine>/test with .wav or .flac files named like "
    f"{EXAMPLES['dcase2023']} or {EXAMPLES['dcase2020']}."
)


def read_folder(
    root: Path, name: str | None = None, digests: ContentDigests | None = None, machines: Sequence[str] = ()
) -> Dataset:
    """One table of all clips below ``root``.

    Args:
        root: the folder that holds one folder for each machine type, itself or further down.
        name: what the data set is called in records; the folder's name when not given.
        digests: digests of recordings known from before.
        machines: only these machine types; the others are not looked at. Empty is all.

    Raises:
        UsageError: there is no machine type of a name in ``machines``.
        DataError: no machine, a machine without training or test clips, names that fit no layout, files that are
            no recordings, training clips labelled anomalous. All problems of one kind are listed.
    """
    root = root.resolve()
    folders = pick(folders_below(root), machines, name or root.name)
    return make_table(name or root.name, root, take_inventory(folders), None, digests)


def folders_below(root: Path) -> MachineFolders:
    """The machine types of a folder that is one data set.

    Raises:
        DataError: there is no such folder, no machine type in it, or it is a machine's own.
    """
    require_plain(root, {})
    if not root.is_dir():
        raise DataError(f"There is no folder {root}.", advice=LAYOUT_HELP)
    if any((root / name).is_dir() for name in SPLIT_FOLDERS):
        raise DataError(
            f"{root} is the folder of one machine.",
            advice=f"Give the folder above it: --dataset {root.parent} --machine {root.name}",
        )
    folders = machine_folders(root)
    if not folders:
        raise DataError(f"{root} holds no machine.", advice=LAYOUT_HELP)
    return folders


def pick(folders: MachineFolders, machines: Sequence[str], dataset: str) -> MachineFolders:
    """The folders of some machine types.

    Raises:
        UsageError: one of them is not there.
        DataError: one of them has a name that cannot be printed.
    """
    for machine in machines:
        if machine not in folders:
            hint = did_you_mean(machine, folders)
            raise UsageError(f"{dataset} has no machine '{machine}'.{hint} Accepted: {', '.join(map(shown, folders))}.")
    picked = {name: places for name, places in folders.items() if not machines or name in machines}
    require_plain(Path(), picked)
    return picked


def make_table(
    name: str, root: Path, inventory: Inventory, protocol: str | None, digests: ContentDigests | None
) -> Dataset:
    """The table of an inventory without problems; the protocol is the layout's where none is given.

    Raises:
        DataError: the inventory holds problems, or two layouts, or a file cannot be read.
    """
    problems = [*inventory.problems, *inventory.empty]
    if problems:
        raise DataError(f"{root} cannot be used as a data set:", problems, LAYOUT_HELP)
    counts = layouts(inventory.recordings)
    if len(counts) > 1:
        raise DataError(
            f"{root} mixes two layouts: {' and '.join(f'{n} clips of {y}' for y, n in sorted(counts.items()))}.",
            advice="Keep the years in folders of their own.",
        )
    (layout,) = counts
    try:
        keys = (digests or ContentDigests(None)).of([one.path for one in inventory.recordings])
    except OSError as error:
        raise _unreadable(name, [one.path for one in inventory.recordings], error) from error
    clips = [make_clip(one, key) for one, key in zip(inventory.recordings, keys, strict=True)]
    clips.sort(key=lambda clip: (clip.machine, clip.split, clip.name))
    return Dataset(
        name=name,
        layout=layout,
        protocol=protocol or layout,
        clips=tuple(clip for clip in clips if clip.split != "supplemental"),
        supplemental=tuple(clip for clip in clips if clip.split == "supplemental"),
    )


def _unreadable(name: str, paths: Sequence[Path], first: OSError) -> DataError:
    """The error that names every recording of which no byte can be read; the first is there in any case."""
    problems = {str(first.filename): first.strerror}
    for path in paths:
        try:
            path.open("rb").close()
        except OSError as error:
            problems[str(path)] = error.strerror
    return DataError(
        f"{len(problems)} recording(s) of {name} cannot be read:",
        [f"{path}: {reason}" for path, reason in problems.items()],
        "Give yourself the right to read them (chmod u+r), copy them again, or remove them.",
    )


def make_clip(one: Recording, key: str) -> Clip:
    """The clip that a recording is."""
    facts = one.facts
    return Clip(
        path=one.path,
        machine=one.machine,
        section=facts.section,
        domain=facts.domain,
        split=one.split,
        label=facts.label,
        attributes=facts.attributes,
        key=key,
        attributes_from_file=one.attributes_from_file,
    )
