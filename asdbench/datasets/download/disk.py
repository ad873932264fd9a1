"""Room on the disk, and progress in megabytes."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

from asdbench.core.errors import AsdbenchError, DiskFullError
from asdbench.core.files import NO_ROOM
from asdbench.core.numbers import size_text
from asdbench.core.progress import Progress

MB = 10**6
OF_RECORDINGS = "take fewer machine types (--machine NAME), or give another place with --data-root DIR"


@contextmanager
def megabyte_stage(progress: Progress, name: str, size: int | None) -> Iterator[Callable[..., None]]:
    """A stage counted in megabytes; yields a function of the position (bytes), which may also go back."""
    shown = 0
    with progress.stage(f"{name}, MB", ceil((size or 0) / MB)) as stage:

        def show(position: int, detail: str = "") -> None:
            nonlocal shown
            steps = ceil(position / MB) - shown
            if steps or detail:
                stage.advance(steps, detail)
                shown += steps

        yield show


def require_room(place: Path, needed: int, purpose: str, way_out: str = OF_RECORDINGS) -> None:
    """Raise DiskFullError where ``purpose`` needs more bytes than the disk of ``place``, which need not exist, has."""
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise DiskFullError(
            f"Not enough room: {purpose} needs about {size_text(needed)}, and the disk of {place} has "
            f"{size_text(free)} left; nothing was written.\nFree some space, {way_out}."
        )


@contextmanager
def clear_download_errors(place: Path, option: str = "--data-root DIR") -> Iterator[None]:
    """Turn a full disk, a missing permission and the like below ``place`` into a message with a way out."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFullError(
                f"No room left on the disk of {place}; what was transferred stays there.\n"
                f"Free some space, or give another place with {option}; the same command goes on."
            ) from error
        raise AsdbenchError(
            f"Cannot write {error.filename or place}: {error.strerror or error}.\n"
            f"Give a folder that you may write to: {option}."
        ) from error
