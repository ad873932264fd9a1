"""The components of a detector: copies of the files that they read, and finding them again where it is opened.

Code of third parties is not in a detector, and is never taken from a folder that a file names: the user names it.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.paths import expand_user
from asdbench.detector.schema import Part
from asdbench.harness.replay import settled_component
from asdbench.harness.writing import used_component
from asdbench.registry import Catalog, Component, load_catalog

FILES = "files"  # copies, weights for instance: each in a folder named by its content, under its own name


def part_of(component: Component, folder: Path) -> Part:
    """What a detector in ``folder`` says of a component; the files that its parameters name are copied there."""
    used = used_component(component)

    def copy(param: str, source: str, digest: str) -> str:
        place, origin = Path(FILES, digest[:16], Path(source).name), Path(expand_user(source))
        if not (folder / place).exists():
            read = [origin / name for name in component.card.params[param].folder] if origin.is_dir() else [origin]
            target = folder / place if origin.is_dir() else (folder / place).parent
            target.mkdir(parents=True, exist_ok=True)
            for one in read:
                if one.is_file():
                    shutil.copyfile(one, target / one.name)
        return place.as_posix()

    def copied(param: str, digests: str | list[str]) -> Any:
        value = used.params[param]
        if isinstance(digests, list):
            return [copy(param, one, digest) for one, digest in zip(value, digests, strict=True)]
        return copy(param, value, digests)

    return Part(
        **used.model_dump(),
        identity=component.identity(),
        plugin=str(component.home.resolve()) if component.home is not None else None,
        copies={param: copied(param, digests) for param, digests in used.files.items()},
    )


def find_component(kind: str, part: Part, folder: Path, plugin_path: Sequence[Path]) -> tuple[Component, list[str]]:
    """The component of a part, reading the folder's copies of files; and what the user should know of it.

    Raises:
        RequirementError: it is not there, or computes something else by now.
    """
    home = f" It was of {part.plugin}." if part.plugin else ""
    try:
        component = _settled(kind, part, folder, load_catalog(plugin_path))
    except UsageError as error:
        again = (
            "Name the folder: --plugin-path DIR, or ASDBENCH_PLUGIN_PATH" if part.plugin else "A newer one may know it"
        )
        raise RequirementError(
            f"The detector needs the {kind[:-1]} '{part.name}', which is not there.{home}\n"
            f"{again}. ({str(error).splitlines()[0]})"
        ) from error
    except RequirementError as error:
        raise RequirementError(
            f"The detector is of other components: {str(error).splitlines()[0].replace('the run', 'it was fitted')}\n"
            "Fit it again: asdbench fit RECORDINGS --to FILE"
        ) from error
    if _counted(component.identity(), part.identity) != _counted(part.identity, part.identity):
        raise RequirementError(
            f"The {kind[:-1]} '{part.name}' is not the one that was fitted: its code, its parameters or its weights "
            f"have changed.{home}\nFit again, or put the old code back."
        )
    if part.libraries in ({}, component.libraries):
        return component, []
    now, then = (" and ".join(map(" ".join, one.items())) for one in (component.libraries, part.libraries))
    return component, [f"{part.name} is computed by {now}; it was fitted by {then}. Scores may differ a little."]


def _settled(kind: str, part: Part, folder: Path, catalog: Catalog) -> Component:
    params: dict[str, Any] = {}
    for param, paths in part.copies.items():
        params[param] = str(folder / paths) if isinstance(paths, str) else [str(folder / path) for path in paths]
    return settled_component(kind, part.model_copy(update={"params": part.params | params, "libraries": {}}), catalog)


def _counted(identity: Any, fitted: Any) -> Any:
    """An identity without the versions of libraries, and without weights where old files do not state them."""
    if isinstance(identity, list):
        return [_counted(one, fitted) for one in identity]
    if not isinstance(identity, dict):
        return identity
    uncounted = {"libraries", *(() if "weights" in str(fitted) else ("weights",))} if "target" in identity else set()
    return {
        key: value if key == "params" else _counted(value, fitted)
        for key, value in identity.items()
        if key not in uncounted
    }
