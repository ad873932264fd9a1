"""What is given to the public functions, brought into one form, or refused with a message."""

import math
from collections.abc import Iterable, Iterator
from numbers import Integral
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from asdbench.core.errors import UsageError
from asdbench.harness.spec import RunSpec

FEWEST_REPLICATES = 100  # of a bootstrap whose 95 % interval means something
KEYWORDS = {"seed": "seeds", "machine": "machines", "augmentation": "augmentations", "dataset": "data"}  # by RunSpec's


def listed(given: Any) -> list[Any]:
    """One component or data set, or several, as a list; None is none. Such objects may be iterable themselves."""
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple | Iterator) else [given]


def several(given: Any) -> list[Any]:
    """One name or number, or any iterable of them, as a list; None is none."""
    if given is None or isinstance(given, str | bytes | Path) or not isinstance(given, Iterable):
        return [] if given is None else [given]
    return list(given.tolist() if hasattr(given, "tolist") else given)  # NumPy's numbers become Python's


def whole_number(keyword: str, given: Any) -> int:
    """One whole number, NumPy's among them. Raises UsageError: something else is given."""
    if isinstance(given, bool) or not isinstance(given, Integral):
        raise UsageError(f"{keyword}={given!r}: a whole number.")
    return index(given)


def whole_numbers(keyword: str, given: Any) -> list[int]:
    """One whole number or several, NumPy's among them.

    Raises:
        UsageError: something else is given.
    """
    items = several(given)
    if not items:
        raise UsageError(f"{keyword}={given!r}: one whole number or several, for example {keyword}=[0, 1, 2]")
    return [whole_number(keyword, item) for item in items]


def plain(value: Any) -> Any:
    """A parameter's value as Python's own: NumPy's numbers and arrays are none that cards know."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def checked_spec(**fields: Any) -> RunSpec:
    """The command that is asked for.

    Raises:
        UsageError: a value of the wrong kind, or beyond its range.
    """
    try:
        return RunSpec(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{KEYWORDS.get(key, key)}={first['input']!r}: {reason}.") from error


def require_replicates(count: Any) -> None:
    """Refuse a number of resampled test sets that is too small for an interval (UsageError)."""
    if not isinstance(count, Integral) or count < FEWEST_REPLICATES:
        raise UsageError(f"replicates={count!r}: a whole number of {FEWEST_REPLICATES} or more.")


def require_positive(keyword: str, value: Any) -> None:
    """Refuse what is no finite number above zero (UsageError); None is none."""
    if value is not None and not (isinstance(value, int | float | np.number) and value > 0 and math.isfinite(value)):
        raise UsageError(f"{keyword}={value!r}: a number above 0.")
