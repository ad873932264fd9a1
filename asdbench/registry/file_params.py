"""Parameters whose value is a file: what counts of it is its content, wherever it lies."""

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from asdbench.core.digests import file_digest
from asdbench.core.errors import UsageError
from asdbench.core.paths import expand_user

Files = TypeVar("Files", str, list[str])


def found(value: Files) -> Files:
    """The path or paths, ``~`` expanded; an empty text names no file.

    Raises:
        ValueError: a file is not there.
    """
    if isinstance(value, list):
        return [found(one) for one in value]
    path = expand_user(value)
    if value and not path.is_file():
        raise ValueError(f"takes a file, and there is none at {path.absolute()}")
    return str(path) if value else value


def contents(value: Files) -> Files:
    """Digests in the place of the paths.

    Raises:
        UsageError: a file cannot be read any more.
    """
    if isinstance(value, list):
        return [contents(one) for one in value]
    if not value:
        return value
    try:
        state = Path(value).stat()
        return _digest(value, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    except OSError as error:
        raise UsageError(f"{value} cannot be read: {error.strerror or error}. A parameter names it.") from error


@lru_cache(maxsize=256)
def _digest(path: str, *_state: int) -> str:
    """Digest of a file's bytes, computed again when size, inode or times of change are others."""
    return file_digest(Path(path))
