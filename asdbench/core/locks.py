"""One process at a time: locks that end with their process, however it ends."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.digests import digest
from asdbench.core.files import clear_disk_full, clear_write_errors, in_folder

if TYPE_CHECKING:
    from filelock import BaseFileLock

READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}


class BusyError(Exception):
    """Another process has the lock, and the caller did not want to wait."""


@contextmanager
def exclusive(path: Path, *, wait: bool = True, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Lock the file ``path``, which stays where it is; the operating system frees it when the process ends.

    In a place that a user may only read, nobody else waits for what is done there: a lock among the user's processes
    is enough, in the folder for temporary files.

    Args:
        path: of the lock file; its folder is made.
        wait: for another process that has the lock.
        on_wait: called once when there is a wait.

    Raises:
        BusyError: another process has it, and ``wait`` is false.
    """
    with clear_disk_full(path), clear_write_errors(path):
        try:
            lock = _acquired(path, wait, on_wait)
        except OSError as error:
            if error.errno not in READ_ONLY:
                raise
            lock = _acquired(_temporary_place(path), wait, on_wait)
    try:
        yield
    finally:
        lock.release()


def _acquired(path: Path, wait: bool, on_wait: Callable[[], None] | None) -> "BaseFileLock":
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        in_folder(path.parent, lambda: lock.acquire(timeout=0))
    except Timeout:
        if not wait:
            raise BusyError(path) from None
        if on_wait is not None:
            on_wait()
        lock.acquire()
    return lock


def _temporary_place(path: Path) -> Path:
    """Of this user's lock of a place that they may only read."""
    user = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    return Path(tempfile.gettempdir()) / f"asdbench-{user}" / f"{digest(str(path.absolute()), 24)}.lock"


def lock_path(entry: Path) -> Path:
    """The lock of something in the cache: ``trained/abc`` has ``locks/trained-abc.lock``."""
    return entry.parent.parent / "locks" / f"{entry.parent.name}-{entry.name}.lock"
