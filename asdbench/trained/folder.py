"""What lies in the folder of a trained system.

- ``system.json``: this file's schema.
- ``run.json``: the record of the run.
- ``extractors/<number>/``: what each fit saved.
- ``files/<digest>/<name>``: copies of files that parameters name, weights for instance.
- ``training/<machine>.npy``: embeddings of the machine type's training clips, float32 (n, dim).
- ``training/<machine>.json``: what is known of these clips, in the same order.
- ``digests.json``, written last: SHA-256 of all these files, which are checked when the system is opened.

Nothing is pickled. Neither recordings nor features are stored.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from asdbench.core.arrays import load_npy
from asdbench.core.errors import RequirementError
from asdbench.core.files import write_bytes, write_json
from asdbench.core.store import MANIFEST, damage, seal
from asdbench.datasets import TrainingClip

FILE = "system.json"
SCHEMA = 2  # 1 had no digests
SAVE_AGAIN = "Save the system again: asdbench track model RUN --to DIR"
_CLIPS = TypeAdapter(list[TrainingClip])


class Model(BaseModel):
    """Base of the parts of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(Model):
    """A component that scoring needs."""

    identity: dict[str, Any] = Field(description="Target, version, parameters; the digest of a third party's code.")
    plugin: str | None = Field(description="Folder of the third party's code when it was saved; None: asdbench's own.")
    files: dict[str, str | list[str]] = Field(
        default_factory=dict, description="Copies of the files that parameters name, within this folder, by parameter."
    )


class SavedFit(Model):
    """The trained extractor of a machine type."""

    extractor: int = Field(ge=0, description="Number of its folder; machine types may share one.")
    seed: int = Field(description="Seed that the extractor is given.")


class SystemFile(Model):
    """``system.json``."""

    schema_version: Literal[1, 2] = Field(default=2, description="Raised when this schema changes.")
    parts: dict[Literal["extractors", "frontends", "scorers"], Part]
    machines: dict[str, SavedFit] = Field(min_length=1, description="By machine type.")


def extractor_folder(folder: Path, number: int) -> Path:
    """Where a fit lies."""
    return folder / "extractors" / str(number)


def write_training(folder: Path, machine: str, clips: list[TrainingClip], rows: NDArray[np.float32]) -> None:
    """Write embeddings (n, dim) of training clips, and what is known of the clips."""
    content = BytesIO()
    np.save(content, rows, allow_pickle=False)
    write_bytes(folder / "training" / f"{machine}.npy", content.getvalue())
    write_bytes(folder / "training" / f"{machine}.json", _CLIPS.dump_json(clips, indent=1))


def read_training(folder: Path, machine: str) -> tuple[list[TrainingClip], NDArray[np.float32]]:
    """Training clips and their embeddings (n, dim).

    Raises:
        RequirementError: they are not there, or damaged.
    """
    place = folder / "training" / f"{machine}.npy"
    try:
        clips = _CLIPS.validate_json(place.with_suffix(".json").read_bytes())
        rows: NDArray[np.float32] = load_npy(place)
    except (OSError, ValueError) as error:
        raise _unreadable(place, error) from error
    if rows.ndim != 2 or len(rows) != len(clips) or rows.dtype != np.float32:
        raise _unreadable(place, f"it holds {rows.dtype} {rows.shape} for {len(clips)} clips")
    return clips, rows


def write_system_file(folder: Path, content: SystemFile) -> None:
    """Write ``system.json``, and the digests of everything in the folder; the last that is written."""
    write_json(folder / FILE, content.model_dump(mode="json"))
    seal(folder)


def read_system_file(folder: Path) -> SystemFile:
    """Read ``system.json``, when every file of the folder is as it was written.

    Raises:
        RequirementError: there is none, something is damaged, or a newer asdbench wrote it.
    """
    path = folder / FILE
    if not path.is_file():
        raise RequirementError(
            f"{folder} holds no trained system: there is no {FILE}.\nSave one: asdbench track model RUN --to DIR"
        )
    try:
        content = json.loads(path.read_bytes())
        version = content.get("schema_version")
        if isinstance(version, int) and version > SCHEMA:
            raise RequirementError(
                f"{path} has schema {version}; this asdbench knows {SCHEMA}. A newer asdbench reads it."
            )
        system = SystemFile.model_validate(content)
    except (OSError, ValueError, AttributeError) as error:
        raise _unreadable(path, error) from error
    reason = damage(folder) if system.schema_version > 1 or (folder / MANIFEST).exists() else None
    if reason is not None:
        raise RequirementError(f"The trained system {folder} is damaged: {reason}.\n{SAVE_AGAIN}")
    return system


def _unreadable(path: Path, error: Exception | str) -> RequirementError:
    if isinstance(error, ValidationError):
        error = f"{'.'.join(map(str, error.errors()[0]['loc']))}: {error.errors()[0]['msg']}"
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return RequirementError(f"{path} cannot be read: {reason}.\n{SAVE_AGAIN}")
