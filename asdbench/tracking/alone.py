"""One sender at a time, whatever its cache: locks lie beside what is sent."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.core.locks import exclusive
from asdbench.core.places import cache_root

LOCKS = ".locks"


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """No other sender is at the same folder or file; the lock of ``runs/x`` is ``runs/.locks/x.lock``."""
    place = place.resolve()
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(place.parent / LOCKS / f"{place.name}.lock"))
        except UsageError:  # runs that others own and only they may write
            held.enter_context(exclusive(cache_root() / "locks" / f"track-{digest([str(place)])}.lock"))
        yield
