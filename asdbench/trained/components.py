"""The components of a saved system: copies of the files that they read, and finding them again where it is opened.

Code of third parties is not in a saved system, and is never taken from a folder that a file names: the user names it.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.paths import expand_user
from asdbench.harness.record import RunRecord, UsedComponent
from asdbench.harness.replay import settled_component
from asdbench.registry import Catalog, Component, load_catalog
from asdbench.trained.folder import SAVE_AGAIN, Part, SystemFile

FILES = "files"  # copies, weights for instance: each in a folder named by its content, under its own name


def used_components(record: RunRecord) -> dict[str, UsedComponent]:
    """What scoring needs, by kind."""
    return {"extractors": record.extractor, "frontends": record.frontend, "scorers": record.scorer}


def copy_files(used: UsedComponent, folder: Path) -> dict[str, str | list[str]]:
    """Copy the files that a component's parameters name; paths within the folder, by parameter."""

    def copy(source: str, digest: str) -> str:
        place = Path(FILES, digest[:16], Path(source).name)
        if not (folder / place).exists():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(expand_user(source), folder / place)
        return place.as_posix()

    return {
        param: list(map(copy, used.params[param], digests))
        if isinstance(digests, list)
        else copy(used.params[param], digests)
        for param, digests in used.files.items()
    }


def find_components(
    folder: Path, record: RunRecord, content: SystemFile, plugin_path: Sequence[Path]
) -> dict[str, Component]:
    """Extractor, front end and scorer, by kind; they read the folder's copies of files, wherever it lies by now.

    Raises:
        RequirementError: a component is not there, or computes something else by now.
    """
    catalog, used = load_catalog(plugin_path), used_components(record)
    return {
        kind: _find(kind, _with_copies(used[kind], part, folder), part, catalog, content.schema_version)
        for kind, part in content.parts.items()
    }


def _with_copies(used: UsedComponent, part: Part, folder: Path) -> UsedComponent:
    params: dict[str, Any] = {}
    for param, paths in part.files.items():
        for path in [paths] if isinstance(paths, str) else paths:
            if not (folder / path).is_file():
                raise RequirementError(f"{folder} lacks {path}, which {used.name} reads.\n{SAVE_AGAIN}")
        params[param] = str(folder / paths) if isinstance(paths, str) else [str(folder / path) for path in paths]
    return used.model_copy(update={"params": used.params | params})


def _find(kind: str, used: UsedComponent, part: Part, catalog: Catalog, schema: int) -> Component:
    home = f" It was of {part.plugin}." if part.plugin else ""
    try:
        component = settled_component(kind, used, catalog)
    except UsageError as error:
        again = "Name the folder: ASDBENCH_PLUGIN_PATH=DIR" if part.plugin else "A newer asdbench may know it"
        raise RequirementError(
            f"The trained system needs the {kind[:-1]} '{used.name}', which is not there.{home}\n"
            f"{again}. ({str(error).splitlines()[0]})"
        ) from error
    identity = component.identity()
    if (_of_schema_1(identity) if schema == 1 else identity) != part.identity:
        raise RequirementError(
            f"The {kind[:-1]} '{used.name}' is not the one that was trained: its code, its parameters or its weights "
            f"have changed.{home}\nTrain and save the system again, or put the old code back."
        )
    return component


def _of_schema_1(identity: Any) -> Any:
    """An identity without versions of libraries and content of downloaded weights, which did not count."""
    if isinstance(identity, list):
        return [_of_schema_1(one) for one in identity]
    if not isinstance(identity, dict):
        return identity
    uncounted = {"libraries", "weights"} if "target" in identity else set()
    return {
        key: value if key == "params" else _of_schema_1(value)
        for key, value in identity.items()
        if key not in uncounted
    }
