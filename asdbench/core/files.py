"""Files and folders that are there whole or not at all."""

import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from asdbench.core.errors import DiskFullError, UsageError
from asdbench.core.paths import CACHE_VARIABLE, cache_root

T = TypeVar("T")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_filling: set[Path] = set()  # folders of ``whole_folder`` that this process fills; their end brings all to the disk


@contextmanager
def clear_disk_full(target: Path) -> Iterator[None]:
    """Turn "no space left" into a message that names the file and the way out; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DiskFullError(
            f"No room left on the disk while writing {target}; nothing half-written was left.\n"
            f"Free some space, or {_elsewhere(target, 'give another place')}."
        ) from error


@contextmanager
def clear_write_errors(target: Path, option: str | None = None) -> Iterator[None]:
    """Turn "permission denied" and the like into a message that names the file and the way out: an option, if given."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise UsageError(
            f"Cannot write {target}: {error.strerror or error}.\n"
            f"{_elsewhere(target, 'Give a place that you may write to', option)}."
        ) from error


def _elsewhere(target: Path, advice: str, option: str | None = None) -> str:
    """The advice, with what sets the place where that is known: the caller's option, or the cache's variable."""
    if option is None and target.absolute().is_relative_to(cache_root().absolute()):
        option = f"{CACHE_VARIABLE}=DIR"
    return f"{advice}: {option}" if option else advice


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary neighbour of ``path`` for writing; it takes the name only when all went well."""
    with clear_disk_full(path):
        with clear_write_errors(path):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            temporary = _temporary(path)
            opened = in_folder(path.parent, lambda: temporary.open("xb"))
        try:
            lasts_later = not _filling.isdisjoint(path.parents)
            with opened as file:
                yield file
                file.flush()
                if not lasts_later:
                    os.fsync(file.fileno())
            temporary.replace(path)
            if not lasts_later:
                _sync(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that replaces it only when all went well."""
    with clear_disk_full(path):
        with clear_write_errors(path):
            require_replaceable(path)
            temporary = _temporary(path)
            in_folder(path.parent, temporary.mkdir)
        retired = temporary.with_suffix(".old")
        _filling.add(temporary)
        try:
            yield temporary
            for inner in (*temporary.rglob("*"), temporary):
                _sync(inner)
            if path.exists():
                path.rename(retired)
            temporary.rename(path)
            _sync(path.parent)
            shutil.rmtree(retired, ignore_errors=True)
        except BaseException:
            if retired.exists() and not path.exists():
                retired.rename(path)
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            _filling.discard(temporary)


def _temporary(path: Path) -> Path:
    """A free name beside ``path``, made by nobody yet: what is made with ordinary calls has the user's own umask."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


def make_empty(path: Path) -> None:
    """Make an empty file where there is none; SQLite, which takes one for a new database, would ignore the umask."""
    if not path.exists():
        with clear_disk_full(path), clear_write_errors(path):
            in_folder(path.parent, lambda: path.open("ab").close())


def require_permission(folder: Path) -> None:
    """Raise UsageError now, not after an hour of training, where one may only read; writes nothing."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    with clear_write_errors(folder):
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(nearest))


def require_replaceable(folder: Path) -> None:
    """Raise PermissionError where the contents of a folder, which may be a colleague's, cannot be removed."""
    for place in (folder, *(inner for inner in folder.rglob("*") if inner.is_dir())) if folder.is_dir() else ():
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{os.strerror(errno.EACCES)}, it belongs to somebody else", str(place))


def in_folder(folder: Path, make: Callable[[], T]) -> T:
    """Make the folder and then something in it; again, when another process has removed it in between."""
    for _ in range(9):
        with suppress(FileNotFoundError):
            folder.mkdir(parents=True, exist_ok=True)
            return make()
    folder.mkdir(parents=True, exist_ok=True)
    return make()


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, last through a loss of power; not every system can sync a folder."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if not path.is_dir() or error.errno in NO_ROOM or error.errno == errno.EIO:
            raise


def sweep(path: Path) -> None:
    """Clear up what killed processes left of ``path``; call it while nobody else can be writing it.

    What is half-written goes. A folder that was about to be replaced comes back.
    """
    try:
        names = os.listdir(path.parent)  # noqa: PTH208  # a cache holds thousands of entries
    except OSError:  # nothing there, or nothing that may be looked at
        return
    for rest in [path.with_name(name) for name in names if name.startswith(f".{path.name}.")]:
        with suppress(PermissionError):  # what somebody else left is for them to clear up
            if rest.suffix == ".old" and not path.exists():
                rest.rename(path)
            elif rest.suffix in (".partial", ".old"):
                shutil.rmtree(rest) if rest.is_dir() else rest.unlink(missing_ok=True)


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


def require_writable(folder: Path, option: str | None = None) -> None:
    """Fail now, not after an hour of training, when nothing can be written to ``folder``; leaves no trace.

    Args:
        folder: need not be there yet.
        option: what sets it, for the message: ``--out DIR``.

    Raises:
        UsageError: the folder cannot be created or written to.
        DiskFullError: the disk is full.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        with (
            clear_disk_full(folder),
            clear_write_errors(folder, option),
            in_folder(folder, lambda: tempfile.TemporaryFile(dir=folder)) as probe,
        ):
            probe.write(b"asdbench\n" * 1024)
            probe.flush()
            os.fsync(probe.fileno())
    finally:
        for place in made:
            with suppress(OSError):
                place.rmdir()
