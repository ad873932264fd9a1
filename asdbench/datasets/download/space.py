"""Room on the disk: asked for before anything is transferred or unpacked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

from asdbench.core.errors import AsdbenchError, DiskFullError
from asdbench.core.files import NO_ROOM
from asdbench.core.progress import Stage
from asdbench.core.sizes import in_words

MB = 10**6
UNPACKED_PER_ZIPPED = 2.0  # noise of 16 bits shrinks by a quarter or so; twice is safe


class Megabytes:
    """Counts bytes on a stage of progress whose steps are megabytes, backwards too when a transfer starts over."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._shown = 0

    def at(self, position: int, detail: str = "") -> None:
        """Say how many bytes are done."""
        steps = ceil(position / MB) - self._shown
        if steps or detail:
            self._stage.advance(steps, detail)
            self._shown += steps


def megabytes(size: int | None) -> int:
    """Steps of a stage for that many bytes; 0 for an unknown size."""
    return ceil((size or 0) / MB)


def require_room(place: Path, need: int, what: str) -> None:
    """Fail before the disk is full.

    Args:
        place: where it would be written; need not exist.
        need: bytes.
        what: what needs them, for the message.

    Raises:
        DiskFullError: there is less room.
    """
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    have = shutil.disk_usage(there).free
    if have < need:
        raise DiskFullError(
            f"Not enough room: {what} needs about {in_words(need)}, and the disk of {place} has {in_words(have)} left; "
            "nothing was written.\nFree some space, take fewer machine types (--machine NAME), or give another place "
            "with --data-root DIR."
        )


@contextmanager
def clear_write_errors(place: Path) -> Iterator[None]:
    """Turn a full disk, a missing permission and the like below ``place`` into a message with a way out."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename or place
        if error.errno in NO_ROOM:
            raise DiskFullError(
                f"No room left on the disk of {place}; what was transferred is kept.\n"
                "Free some space, or give another place with --data-root DIR; the same command goes on."
            ) from error
        raise AsdbenchError(
            f"Cannot write {where}: {reason}.\nGive a folder that you may write to: --data-root DIR."
        ) from error
