"""From Python's arguments to what the command line would be asked: one ``RunSpec`` for ``run`` and ``tune``."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from asdbench.api.components import Extractor, Named, Scorer, System
from asdbench.core.errors import UsageError
from asdbench.harness.spec import RunSpec
from asdbench.registry import Catalog

KINDS: dict[str, type[Named]] = {"extractors": Extractor, "scorers": Scorer, "systems": System}


def listed(given: Any) -> list[Any]:
    """One thing or several, as a list; None is none."""
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def name_and_params(given: Any, kind: str, catalog: Catalog | None = None) -> tuple[str, dict[str, object]]:
    """The name of what was given, and the parameters given with it by ``component.param``.

    An object of the user's own gets a name in the catalog; without one it is refused (UsageError).
    """
    if isinstance(given, str):
        return given, {}
    if isinstance(given, KINDS[kind]):
        return given.name, given.given_by_component
    if isinstance(given, Named) or kind == "systems" or catalog is None:
        hint = "" if catalog else ". tune takes what has a card; an object of your own needs a card"
        raise UsageError(f"{given!r} was given where one of the {kind} is wanted{hint}.")
    return catalog.add_instance(kind, given), {}


def run_spec(
    things: Iterable[Any],
    seeds: int | Iterable[int],
    machines: Sequence[str],
    augmentations: Sequence[str] | None,
    plugin_path: Sequence[str | Path],
    **fields: Any,
) -> RunSpec:
    """What the command line would be asked, untracked; folders of plugins are those of the things given as well."""
    folders = [*map(Path, plugin_path)]
    folders += [folder for one in things if isinstance(one, Named) for folder in one.plugin_path]
    return RunSpec(
        seed=[seeds] if isinstance(seeds, int) else list(seeds),
        machine=list(machines),
        augmentation=None if augmentations is None else list(augmentations),
        plugin_path=list(dict.fromkeys(folder.expanduser() for folder in folders)),
        tracking="none",
        **fields,
    )
