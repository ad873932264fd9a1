"""Read a detector from its file, and find its components again.

Code of third parties is not in a detector, and is never taken from a folder that a file names: the user names it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.validation import first_error
from asdbench.detector.archive import FIT_AGAIN, unpack
from asdbench.detector.detector import Detector
from asdbench.detector.schema import FILE, SCHEMA, DetectorFile, Part
from asdbench.harness.machine import resolve_device
from asdbench.harness.replay import settled_component
from asdbench.registry import Component, load_catalog


def load_detector(path: Path, plugin_path: Sequence[Path], device: str) -> Detector:
    """See ``Detector.load``."""
    temporary = TemporaryDirectory(prefix="asdbench-", ignore_cleanup_errors=True)
    folder = Path(temporary.name)
    if (path / "system.json").is_file():
        from asdbench.detector.old_folder import convert

        convert(path, folder)
    else:
        unpack(path, folder)
    content, notes = _content(folder / FILE, path), []

    def found(kind: str, parts: Sequence[Part]) -> list[Component]:
        components = []
        for part in parts:
            component, more = _find_component(kind, part, folder, plugin_path)
            components.append(component)
            notes.extend(more)
        return components

    components = {
        "extractors": found("extractors", [one.extractor for one in content.members]),
        "frontends": found("frontends", [one.frontend for one in content.members]),
        "scorers": found("scorers", [one.scorer for one in content.members]),
        "combine": found("scorers", [content.combine] if content.combine else []),
    }
    device = "cpu" if device == "auto" and content.device == "cpu" else resolve_device(device)
    detector = Detector(folder, content, components, device, temporary)
    detector.notes += notes
    return detector


def _content(file: Path, source: Path) -> DetectorFile:
    try:
        content = json.loads(file.read_bytes())
        version = content.get("schema_version")
        if isinstance(version, int) and version > SCHEMA:
            raise RequirementError(
                f"{source} has schema {version}; this asdbench knows {SCHEMA}. A newer asdbench reads it."
            )
        return DetectorFile.model_validate(content)
    except ValidationError as error:
        reason = first_error(error)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        reason = str(error).splitlines()[0]
    raise RequirementError(f"{source} is no detector, or damaged: {reason}.\n{FIT_AGAIN}")


def _find_component(kind: str, part: Part, folder: Path, plugin_path: Sequence[Path]) -> tuple[Component, list[str]]:
    """The component of a part, reading the folder's copies of files; and what the user should know of it.

    Raises:
        RequirementError: it is not there, or computes something else by now.
    """
    home = f" It was of {part.plugin}." if part.plugin else ""
    copies: dict[str, Any] = {
        param: str(folder / paths) if isinstance(paths, str) else [str(folder / path) for path in paths]
        for param, paths in part.copies.items()
    }
    wanted = part.model_copy(update={"params": part.params | copies, "libraries": {}})
    try:
        component = settled_component(kind, wanted, load_catalog(plugin_path))
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
