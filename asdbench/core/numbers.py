"""Numbers as people write them in options, files and variables: plain ASCII decimals that are finite.

``float`` and ``int`` of Python read more: ``nan``, ``1e400``, ``1_000``, digits of other scripts.
"""

import math
import re

_WHOLE = re.compile(r"[+-]?[0-9]{1,100}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def is_decimal(text: str) -> bool:
    """Whether a text is a plain decimal number, which may still be too large for a float."""
    return _DECIMAL.fullmatch(text) is not None


def finite(text: str) -> float:
    """The number that a text says.

    Raises:
        ValueError: it says none, or one that is not finite as a float.
    """
    value = float(text.strip()) if is_decimal(text.strip()) else math.nan
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is not a finite number")
    return value


def whole(text: str) -> int:
    """The whole number that a text says.

    Raises:
        ValueError: it says none.
    """
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
