"""One process at a time: locks that end with their process, however it ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from asdbench.core.files import clear_disk_full, clear_write_errors, in_folder


class BusyError(Exception):
    """Another process holds the lock, and the caller did not want to wait."""


@contextmanager
def exclusive(path: Path, *, wait: bool = True, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file ``path``, which stays where it is; the operating system frees it when the process ends.

    Args:
        path: of the lock file; its folder is made.
        wait: for another process that holds it.
        on_wait: called once when there is a wait.

    Raises:
        BusyError: another process holds it, and ``wait`` is false.
    """
    from filelock import FileLock, Timeout

    with clear_disk_full(path), clear_write_errors(path):
        lock = FileLock(path)
        try:
            in_folder(path.parent, lambda: lock.acquire(timeout=0))
        except Timeout:
            if not wait:
                raise BusyError(path) from None
            if on_wait is not None:
                on_wait()
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def lock_of(entry: Path) -> Path:
    """The lock of something in the cache: ``trained/abc`` has ``locks/trained-abc.lock``."""
    return entry.parent.parent / "locks" / f"{entry.parent.name}-{entry.name}.lock"
