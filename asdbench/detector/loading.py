"""Read a detector from its file."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from asdbench.core.errors import RequirementError
from asdbench.core.validation import first_error
from asdbench.detector.archive import FIT_AGAIN, unpack
from asdbench.detector.components import find_component
from asdbench.detector.detector import Detector
from asdbench.detector.schema import FILE, SCHEMA, DetectorFile, Part
from asdbench.harness.machine import resolve_device
from asdbench.registry import Component


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
            component, more = find_component(kind, part, folder, plugin_path)
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
