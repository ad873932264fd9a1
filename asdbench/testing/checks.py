"""Checks as they are done: what was expected, and what was found where that does not hold."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from asdbench.core.errors import AsdbenchError, RequirementError
from asdbench.core.faults import fault_of

ELSEWHERE = 987_654_321  # seed of what draws elsewhere; one that nobody else sets


@dataclass(frozen=True)
class Check:
    """One check of a component.

    Attributes:
        name: short, "seed" for instance.
        expected: what has to hold.
        found: what was found in its place; "" where it holds.
    """

    name: str
    expected: str
    found: str = ""

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return not self.found

    def __str__(self) -> str:
        return f"{self.name}: expected {self.expected}; {self.found}" if self.found else f"{self.name}: {self.expected}"


class CheckError(AssertionError):
    """A component that fails checks; the message has a line for each.

    Attributes:
        failures: those checks.
    """

    def __init__(self, kind: str, name: str, checks: list[Check]) -> None:
        self.failures = [check for check in checks if not check.passed]
        lines = "".join(f"\n  {check}" for check in self.failures)
        super().__init__(f"The {kind[:-1]} '{name}' fails {len(self.failures)} of {len(checks)} checks:{lines}")


class Mismatch(Exception):  # noqa: N818  # never leaves this package
    """What a check found in the place of what it expects."""


class Stop(Exception):  # noqa: N818  # never leaves this package
    """A check failed without which the others cannot be done."""


class Checks:
    """Does checks one after the other, and notes how each ended in ``done``."""

    def __init__(self) -> None:
        self.done: list[Check] = []

    @contextmanager
    def expect(self, name: str, expected: str, *, needed: bool = False) -> Iterator[None]:
        """A check, which holds when what is done within ends without an exception.

        Raises:
            Stop: it does not hold, and is ``needed`` for all that follow.
            RequirementError: something that the component needs is not there, which is no fault of its own.
        """
        found = ""
        try:
            yield
        except RequirementError:
            raise
        except (Mismatch, AsdbenchError) as error:
            found = str(error)
        except (Exception, SystemExit) as error:  # plugins may raise anything
            found = f"it raised {fault_of(error).reason}"
        self.done.append(Check(name, expected, found))
        if found and needed:
            raise Stop

    def expect_same(self, expected: str, first: Any, again: Callable[[], Any], what: str) -> None:
        """Two checks: values computed anew equal the first ones, and no global generator was used for it."""
        changed = ""
        with self.expect("seed", expected):
            with random_state(ELSEWHERE) as changes:
                second = again()
                changed = changes()
            require_close(first, second, 0.0, what)
        with self.expect("random state", "the global generators to be left as they are"):
            require(not changed, changed)


def require(condition: object, found: str) -> None:
    """End the check under way, where the condition does not hold, by what was found."""
    if not condition:
        raise Mismatch(found)


def require_array(values: Any, dtype: type, shape: tuple[int | None, ...], what: str) -> None:
    """A finite array of that type and shape; None is any size."""
    require(isinstance(values, np.ndarray), f"{what} are of the type {type(values).__name__}, not an array")
    fits = values.ndim == len(shape) and all(
        asked in (None, size) for asked, size in zip(shape, values.shape, strict=True)
    )
    require(values.dtype == dtype and fits, f"{what} are {values.dtype} {values.shape}")
    bad = int(np.sum(~np.isfinite(values.reshape(len(values), -1)).all(axis=1)))
    require(not bad, f"{bad} of {len(values)} {what} are not finite")


def require_close(values: Any, others: Any, rtol: float, what: str) -> None:
    """Two arrays that are equal but for rounding, which is relative to the largest number of all."""
    require(np.shape(values) == np.shape(others), f"shapes differ: {np.shape(values)} and {np.shape(others)}")
    first, second = np.asarray(values, np.float64), np.asarray(others, np.float64)
    difference = np.abs(first - second).reshape(len(first), -1).max(axis=1, initial=0.0)
    bad = int(np.sum(~(difference <= rtol * float(np.abs(first).max(initial=0.0)))))
    require(not bad, f"{bad} of {len(first)} {what} differ, by up to {float(np.nanmax(difference, initial=0.0)):.3g}")


@contextmanager
def random_state(seed: int) -> Iterator[Callable[[], str]]:
    """Seed the global generators of Python, NumPy and torch; what was there before is restored.

    Yields:
        A function that says which of them somebody has drawn from or seeded since; "" where none.
    """
    before = _states()
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in before:
        sys.modules["torch"].manual_seed(seed)
    seeded = _states()

    def changes() -> str:
        now = _states()
        names = [name for name, state in seeded.items() if _bytes(now[name]) != _bytes(state)]
        return f"the global generator of {' and '.join(names)} was drawn from or seeded" if names else ""

    try:
        yield changes
    finally:
        random.setstate(before["random"])
        np.random.set_state(before["numpy.random"])
        if "torch" in before:
            sys.modules["torch"].set_rng_state(before["torch"])


def _states() -> dict[str, Any]:
    states: dict[str, Any] = {"random": random.getstate(), "numpy.random": np.random.get_state()}
    torch = sys.modules.get("torch")
    return states | ({"torch": torch.get_rng_state()} if torch else {})


def _bytes(state: Any) -> list[bytes]:
    values = state if isinstance(state, tuple) else (state,)
    return [np.asarray(part).tobytes() for part in values]
