"""Numbers and lists in sentences and tables."""

from collections.abc import Sequence
from typing import Any


def percent(share: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction in percent, without the sign %; nothing for None."""
    return "" if share is None else f"{100 * share:{'+' if sign else ''}.{digits}f}"


def value_text(value: Any) -> str:
    """The value of a parameter as the command line takes it: ``"true"``, ``"a,b"``."""
    if isinstance(value, list):
        return ",".join(map(value_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def first_of(texts: Sequence[str], most: int, separator: str = ", ") -> str:
    """``"a, b, c and 4 more"``: the first ``most``, and how many are left out."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more
