"""Numbers as people write and read them: plain finite ASCII decimals, and sizes of files.

``float`` and ``int`` of Python read more: ``nan``, ``1e400``, ``1_000``, digits of other scripts.
"""

import math
import re

_WHOLE = re.compile(r"[+-]?[0-9]{1,100}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def is_decimal(text: str) -> bool:
    """Whether a text is a plain decimal number, which may still be too large for a float."""
    return _DECIMAL.fullmatch(text) is not None


def parse_float(text: str) -> float:
    """The finite number that a text states; raises ValueError where it states none."""
    value = float(text.strip()) if is_decimal(text.strip()) else math.nan
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is not a finite number")
    return value


def parse_int(text: str) -> int:
    """The whole number that a text states; raises ValueError where it states none."""
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError(f"'{text}' is not a whole number")
    return int(text)


def is_finite(value: object) -> bool:
    """Whether no number in a value of a TOML file, or in lists and tables of it, is infinite or NaN."""
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def size_text(size: int) -> str:
    """A number of bytes for people, in powers of ten: "3.2 GB"."""
    for unit, number in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= number:
            return f"{size / number:.{1 if size < 100 * number else 0}f} {unit}"
    return f"{size} bytes"
