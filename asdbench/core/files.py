"""Files and folders that are there whole or not at all."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from asdbench.core.errors import DiskFullError, UsageError

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def clear_disk_full(target: Path) -> Iterator[None]:
    """Turn "no space left" into a message that names the file and the way out; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DiskFullError(
            f"No room left on the disk while writing {target}; nothing half-written was kept.\n"
            "Free some space, or set another place with --out DIR (results) or ASDBENCH_CACHE=DIR (cache)."
        ) from error


@contextmanager
def clear_write_errors(target: Path) -> Iterator[None]:
    """Turn "permission denied" and the like into a message that names the file and the way out."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise UsageError(
            f"Cannot write {target}: {error.strerror or error}.\n"
            "Give a folder that you may write to: --out DIR (results) or ASDBENCH_CACHE=DIR (cache)."
        ) from error


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary neighbour of ``path`` for writing; it takes the name only when all went well."""
    with clear_disk_full(path):
        with clear_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that replaces it only when all went well."""
    with clear_disk_full(path):
        with clear_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
        try:
            temporary.chmod(0o755)
            yield temporary
            if path.exists():
                retired = temporary.with_suffix(".old")
                path.rename(retired)
                temporary.rename(path)
                shutil.rmtree(retired)
            else:
                temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole: temporary name, fsync, rename."""
    with whole_file(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole, indented for people."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def require_writable(folder: Path) -> None:
    """Fail now, not after an hour of training, when nothing can be written to ``folder``; leaves no trace.

    Raises:
        UsageError: the folder cannot be created or written to.
        DiskFullError: the disk is full.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    probe = folder / ".asdbench-write-probe"
    try:
        write_bytes(probe, b"asdbench\n" * 1024)
        probe.unlink()
    finally:
        for place in made:
            with suppress(OSError):
                place.rmdir()
