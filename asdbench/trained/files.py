"""Files that parameters of a saved system name, weights for instance: copies that travel with it."""

import shutil
from pathlib import Path
from typing import Any

from asdbench.core.errors import RequirementError
from asdbench.core.paths import expand_user
from asdbench.harness.record import UsedComponent

FOLDER = "files"


def copy_files(used: UsedComponent, folder: Path) -> dict[str, str | list[str]]:
    """Copy the files that a component's parameters name into a saved system.

    Each lies in a folder named by its content, under its own name, whose ending tells what it holds; files that several
    parameters name are there once.

    Args:
        used: the component, its files those of the run.
        folder: of the saved system.

    Returns:
        Paths within the folder, by parameter.
    """
    copied: dict[str, str | list[str]] = {}
    for param, digests in used.files.items():
        value = used.params[param]
        if isinstance(digests, list):
            copied[param] = [_copy(*pair, folder) for pair in zip(value, digests, strict=True)]
        else:
            copied[param] = _copy(value, digests, folder)
    return copied


def _copy(source: str, digest: str, folder: Path) -> str:
    place = Path(FOLDER, digest[:16], Path(source).name)
    if not (folder / place).exists():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(expand_user(source), folder / place)
    return place.as_posix()


def with_copies(used: UsedComponent, copied: dict[str, str | list[str]], folder: Path) -> UsedComponent:
    """The component with the copies in the place of the files that the run read.

    Raises:
        RequirementError: a copy is not there.
    """
    for place in (one for paths in copied.values() for one in ([paths] if isinstance(paths, str) else paths)):
        if not (folder / place).is_file():
            raise RequirementError(
                f"{folder} lacks {place}, which {used.name} reads.\n"
                "Save the system again: asdbench track model RUN --to DIR"
            )
    params: dict[str, Any] = {
        param: [str(folder / one) for one in paths] if isinstance(paths, list) else str(folder / paths)
        for param, paths in copied.items()
    }
    return used.model_copy(update={"params": used.params | params})
