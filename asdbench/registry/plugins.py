"""Where cards come from: asdbench itself, installed packages, and folders that the user names."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import UsageError
from asdbench.core.paths import user_path

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "asdbench.plugins"
OWN = "asdbench"  # origin of the cards that come with asdbench
PATH_VARIABLE = "ASDBENCH_PLUGIN_PATH"


@dataclass(frozen=True)
class Source:
    """A folder of cards (``<folder>/<kind>/<name>.toml``) and who brought it."""

    folder: Path
    origin: str


def own_source() -> Source:
    """The cards of asdbench: the checkout's ``registry/`` wins over the wheel's copy."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "registry"
    is_checkout = (package.parent / "pyproject.toml").is_file() and checkout.is_dir()
    return Source(checkout if is_checkout else package / "_registry", OWN)


def third_party_sources(paths: Sequence[Path], warn: Callable[[str], None]) -> Iterator[Source]:
    """Plugins from installed packages (entry points), then from folders.

    An entry point names an importable package that holds ``registry/``; it is found without importing it.
    A folder holds ``registry/`` and, beside it, the modules that its cards name.

    Raises:
        UsageError: one of ``paths`` is no folder.
    """
    for entry in _entry_points():
        origin = f"plugin '{entry.name}' of {entry.dist.name if entry.dist else 'an unknown package'}"
        try:
            spec = importlib.util.find_spec(entry.value.partition(":")[0])
        except (Exception, SystemExit) as error:  # the package that it lies in is imported, and may raise anything
            warn(f"{origin} was left out: {error}")
            continue
        packages = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
        cards = next((package / "registry" for package in packages if (package / "registry").is_dir()), None)
        if cards is None:
            warn(f"{origin} was left out: the package '{entry.value}' holds no folder registry/")
        else:
            yield Source(cards, origin)

    listed = [folder for folder in os.environ.get(PATH_VARIABLE, "").split(os.pathsep) if folder]
    for asked in dict.fromkeys([*map(str, paths), *listed]):
        origin = f"plugin folder {asked}"
        try:
            path = user_path(asked)
        except ValueError as error:
            warn(f"{origin} was left out: it {error}")
            continue
        if asked not in listed and not path.is_dir():
            raise UsageError(f"--plugin-path {asked}: there is no such folder.")
        if not (path / "registry").is_dir():
            warn(f"{origin} was left out: it holds no folder registry/")
            continue
        if str(path.resolve()) not in sys.path:
            sys.path.append(str(path.resolve()))
        yield Source(path / "registry", origin)


def _entry_points() -> "list[EntryPoint]":
    """Entry points of the group, sorted by name.

    importlib.metadata takes 0.1 s to go through a usual environment, a quarter of what ``asdbench list`` may take;
    so it is asked only where a text search says that there is something to find.
    """
    if not _are_there(tuple((folder, _changed(folder)) for folder in sys.path)):
        return []
    from importlib.metadata import entry_points

    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)


@cache
def _are_there(folders: tuple[tuple[str, int], ...]) -> bool:
    """Whether packages of these folders name plugins; looked at anew when a package has come to a folder or gone."""
    files = (file for folder, _ in folders for file in Path(folder or ".").glob("*-info/entry_points.txt"))
    return any(ENTRY_POINT_GROUP in _text(file) for file in files)


def _changed(folder: str) -> int:
    """When a folder's list of files changed, in ns; 0 of one that is not there."""
    try:
        return Path(folder or ".").stat().st_mtime_ns
    except OSError:
        return 0


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # of a package that somebody else has installed for themselves
        return ""
