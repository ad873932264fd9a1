"""The components of a saved system, found again among those that are installed."""

from collections.abc import Sequence
from pathlib import Path

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
        kind: _found(kind, with_copies(used[kind], part.files, folder), part, catalog)
        for kind, part in content.parts.items()
    }


def _found(kind: str, used: UsedComponent, part: Part, catalog: Catalog) -> Component:
    home = f" It was of {part.plugin}." if part.plugin else ""
    try:
        component = settled_component(kind, used, catalog)
    except UsageError as error:
        again = "Name the folder: ASDBENCH_PLUGIN_PATH=DIR" if part.plugin else "A newer asdbench may know it"
        raise RequirementError(
            f"The trained system needs the {kind[:-1]} '{used.name}', which is not there.{home}\n"
            f"{again}. ({str(error).splitlines()[0]})"
        ) from error
    if component.identity() != part.identity:
        raise RequirementError(
            f"The {kind[:-1]} '{used.name}' is not the one that was trained: its code or its parameters have changed."
            f"{home}\nTrain and save the system again, or put the old code back."
        )
    return component
