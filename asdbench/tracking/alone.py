"""One sender at a time, whatever its cache: locks lie beside what is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asdbench.core.locks import exclusive

LOCKS = ".locks"


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """No other sender is at the same folder or file; the lock of ``runs/x`` is ``runs/.locks/x.lock``."""
    place = place.resolve()
    with exclusive(place.parent / LOCKS / f"{place.name}.lock"):
        yield
