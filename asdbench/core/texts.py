"""Numbers and lists in sentences and tables."""

from collections.abc import Sequence


def percent(share: float | None, digits: int = 2, *, sign: bool = False, missing: str = "") -> str:
    """A fraction in percent, without the sign %; ``missing`` for None."""
    return missing if share is None else f"{100 * share:{'+' if sign else ''}.{digits}f}"


def first_of(texts: Sequence[str], most: int, separator: str = ", ") -> str:
    """``"a, b, c and 4 more"``: the first ``most``, and how many are left out."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more
