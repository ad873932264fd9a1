"""Places where cards come from: asdbench itself, installed packages, and folders that the user names."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

ENTRY_POINT_GROUP = "asdbench.plugins"
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
    if (package.parent / "pyproject.toml").is_file() and checkout.is_dir():
        return Source(checkout, "asdbench")
    return Source(package / "_registry", "asdbench")


def third_party_sources(paths: Sequence[Path], warn: Callable[[str], None]) -> Iterator[Source]:
    """Plugins from installed packages (entry points), then from folders.

    An entry point names an importable package that holds ``registry/``; it is found without importing it.
    A folder holds ``registry/`` and, beside it, the modules that its cards name.
    """
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        origin = f"plugin '{entry.name}' of {entry.dist.name if entry.dist else 'an unknown package'}"
        try:
            spec = importlib.util.find_spec(entry.value.partition(":")[0])
        except (ImportError, ValueError, AttributeError) as error:
            warn(f"{origin} was left out: {error}")
            continue
        places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
        folder = next((place / "registry" for place in places if (place / "registry").is_dir()), None)
        if folder is None:
            warn(f"{origin} was left out: the package '{entry.value}' holds no folder registry/")
            continue
        yield Source(folder, origin)

    listed = [Path(part) for part in os.environ.get(PATH_VARIABLE, "").split(os.pathsep) if part]
    for path in dict.fromkeys([*paths, *listed]):
        origin = f"plugin folder {path}"
        if not (path / "registry").is_dir():
            warn(f"{origin} was left out: it holds no folder registry/")
            continue
        if str(path.resolve()) not in sys.path:
            sys.path.append(str(path.resolve()))
        yield Source(path / "registry", origin)
