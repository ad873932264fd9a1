"""The components of a saved system, found again among those that are installed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asdbench.core.errors import RequirementError, UsageError
from asdbench.harness.record import RunRecord, UsedComponent
from asdbench.harness.replay import settled_component
from asdbench.registry import Catalog, Component, load_catalog
from asdbench.trained.files import with_copies
from asdbench.trained.folder import Part, SystemFile


def found_again(
    folder: Path, record: RunRecord, content: SystemFile, plugin_path: Sequence[Path]
) -> dict[str, Component]:
    """Extractor, front end and scorer, by kind; the folder's copies of files are taken, wherever it lies by now.

    Code of third parties is not in a saved system, and is never taken from a folder that a file names: the user
    names it.

    Raises:
        RequirementError: a component is not there, or computes something else by now.
    """
    catalog = load_catalog(plugin_path)
    used = {"extractors": record.extractor, "frontends": record.frontend, "scorers": record.scorer}
    return {
        kind: _found(kind, with_copies(used[kind], part.files, folder), part, catalog, content.schema_version)
        for kind, part in content.parts.items()
    }


def _found(kind: str, used: UsedComponent, part: Part, catalog: Catalog, schema: int) -> Component:
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
    if isinstance(identity, dict):
        own = {"libraries", "weights"} if "target" in identity else set()
        return {
            key: _of_schema_1(value) if key != "params" else value for key, value in identity.items() if key not in own
        }
    return [_of_schema_1(one) for one in identity] if isinstance(identity, list) else identity
