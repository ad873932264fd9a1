"""Which runs a name means, in every command alike."""

import re
from collections.abc import Sequence
from pathlib import Path

from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.core.paths import expand_user
from asdbench.harness.record import FILE, RunRecord
from asdbench.harness.store import find_runs, require_folder

LATEST = "latest"  # names the run that ended last
LISTED = 12  # runs that an error names


def find_run(name: str, root: Path) -> Path:
    """The folder of the one run that a name means.

    Raises:
        UsageError: it means none, or several.
        RequirementError: there is no folder to look in.
    """
    folders = named_runs(name, root)
    if len(folders) > 1:
        raise UsageError(_several(name, folders))
    return folders[0]


def named_runs(name: str, root: Path) -> list[Path]:
    """The folders of the runs that a name means: all those of a system, else one.

    A run is named by its folder, by its id, by a part of its id that no other run there has, or by "latest"; a system
    by its card, or as extractor+scorer or extractor-scorer. Before either, with a slash, may stand another folder than
    ``root``.

    Raises:
        UsageError: it means none, or is a part of several ids.
        RequirementError: there is no folder to look in, or what is named is a folder without a run.
    """
    place = expand_user(name)
    if (place / FILE).is_file():
        return [place]
    if len(place.parts) > 1:
        if place.is_dir():
            raise RequirementError(
                f"No run in {name}: there is no {FILE}.\nGive a folder that asdbench run left: runs/<run-id>"
            )
        if not place.parent.is_dir():
            raise UsageError(f"There is no run in {name}.\nSee: asdbench runs list --out {root}")
        root, name = place.parent, place.name
    require_folder(root)
    records = sorted(root.glob(f"[!.]*/{FILE}"))
    if name == LATEST and records:
        return [max(records, key=lambda path: path.stat().st_mtime_ns).parent]
    folders = [path.parent for path in records]
    matching = _matching(name, folders)
    if len(matching) == 1:
        return matching
    of_system = [folder for folder, record in find_runs(root).runs.items() if is_of_system(record, name)]
    if of_system or not matching:
        return of_system or _none(name, root, folders)
    raise UsageError(_several(name, matching))


def is_of_system(record: RunRecord, name: str) -> bool:
    """Whether a name is that of a run's system, however it is spelled."""
    if record.asked.system:
        return _plain(name) == _plain(record.asked.system)
    return _plain(name) in {_plain(f"{record.extractor.name}{mark}{record.scorer.name}") for mark in "+-"}


def nearest_system(name: str, systems: Sequence[str], others: Sequence[str]) -> str:
    """A question that names the nearest system or run; empty where none is near."""
    plain = {_plain(system): system for system in systems}
    hint = did_you_mean(_plain(name), [*plain, *others])
    for spelled, system in plain.items():
        hint = hint.replace(f"'{spelled}'", f"'{system}'")
    return hint


def short_names(ids: Sequence[str]) -> dict[str, str]:
    """The end of each id, as short as names it alone."""
    names = {}
    for one in ids:
        parts = one.split("-")
        ends = ("-".join(parts[-count:]) for count in range(1, len(parts) + 1))
        names[one] = next((end for end in ends if sum(end in other for other in ids) == 1), one)
    return names


def _plain(name: str) -> str:
    return re.sub(r"\s*\+\s*", "+", name.strip()).casefold()


def _matching(name: str, folders: Sequence[Path]) -> list[Path]:
    """The run of that id, else those whose ids begin with it, else those whose ids hold it."""
    return (
        [one for one in folders if one.name == name]
        or [one for one in folders if one.name.startswith(name)]
        or [one for one in folders if name in one.name]
    )


def _several(name: str, folders: Sequence[Path]) -> str:
    ids = [folder.name for folder in folders]
    short = next(iter(short_names(ids).values()))
    more = [f"  and {len(ids) - LISTED} more"] if len(ids) > LISTED else []
    return "\n".join(
        [
            f"'{name}' means {len(ids)} runs:",
            *(f"  {one}" for one in ids[:LISTED]),
            *more,
            f"Name one of them by a part of its id that no other has, for example {short}",
        ]
    )


def _none(name: str, root: Path, folders: Sequence[Path]) -> list[Path]:
    stored = find_runs(root)
    systems = sorted({record.name for record in stored.runs.values()})
    hint = nearest_system(name, systems, [folder.name for folder in folders])
    unreadable = f"\n{len(stored.unreadable)} records there cannot be read." if stored.unreadable else ""
    raise UsageError(
        f"No run '{name}' in {root}, and no system.{hint} See: asdbench runs list --out {root}{unreadable}"
    )
