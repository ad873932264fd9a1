"""What a component hands over is checked here, before anything is made of it: shape, type, and that it is numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.extractors.learning import Learning


class OutputError(AsdbenchError):
    """A component gave something that nothing can be made of."""


def checked_embeddings(rows: Any, clips: int, name: str, where: str) -> NDArray[np.float32]:
    """Embeddings, float32 (clips, dim).

    Args:
        rows: as the extractor gave them.
        clips: that it was given.
        name: of the extractor.
        where: whose clips: the machine type.

    Raises:
        OutputError: another type or shape, or some are not finite.
    """
    try:
        rows = np.asarray(rows)
    except (ValueError, TypeError) as error:
        raise OutputError(f"{name} gave embeddings of {where} that are no array of numbers ({error}).") from error
    if rows.ndim != 2 or len(rows) != clips or rows.dtype != np.float32 or not rows.shape[1]:
        raise OutputError(
            f"{name} gave embeddings {rows.dtype} {rows.shape} for {clips} clips of {where}; "
            f"the contract is float32 ({clips}, dim)."
        )
    bad = int(np.sum(~np.isfinite(rows).all(axis=1)))
    if bad:
        raise OutputError(f"{name} gave embeddings that are not finite for {bad} of {clips} clips of {where}.")
    found: NDArray[np.float32] = rows
    return found


def checked_scores(scores: Any, clips: int, name: str, what: str = "scores") -> NDArray[np.float64]:
    """Scores, float64 (clips,).

    Args:
        scores: as the scorer gave them.
        clips: that it was given.
        name: of the scorer.
        what: "scores" or "training scores".

    Raises:
        OutputError: they are no numbers, not finite, or not one a clip.
    """
    found = _numbers(scores, f"{name} gave {what}")
    if found.shape != (clips,):
        raise OutputError(f"{name} gave {what} of shape {found.shape} for {clips} clips.")
    bad = int(np.sum(~np.isfinite(found)))
    if bad:
        raise OutputError(f"{name} gave {what} that are not finite for {bad} of {clips} clips.")
    return found


def checked_curves(curves: Any, name: str) -> dict[str, list[float]]:
    """What a training measured, by name: one finite number for each epoch.

    Args:
        curves: as the extractor left them.
        name: of the extractor.

    Raises:
        OutputError: they are not that; a training whose loss is not finite has diverged.
    """
    if not isinstance(curves, Mapping) or not all(isinstance(key, str) for key in curves):
        raise OutputError(f"{name} left curves that are no mapping of names to numbers.")
    found = {}
    for key, curve in curves.items():
        numbers = _numbers(curve, f"{name} left the curve '{key}'")
        if numbers.ndim != 1:
            raise OutputError(f"{name} left the curve '{key}' of shape {numbers.shape}; it is one number an epoch.")
        bad = np.flatnonzero(~np.isfinite(numbers))
        if len(bad):
            raise OutputError(
                f"The training of {name} diverged: its curve '{key}' is {numbers[bad[0]]} in epoch {bad[0] + 1}."
            )
        found[key] = numbers.tolist()
    return found


def checked_learning(learning: Any, name: str) -> dict[str, Any] | None:
    """What says whether a training learned, as it is written.

    Args:
        learning: as the extractor left it.
        name: of the extractor.

    Raises:
        OutputError: it is neither a ``Learning`` nor None, or a number of it is not finite.
    """
    if learning is None:
        return None
    if not isinstance(learning, Learning):
        raise OutputError(f"{name} left learning of type {type(learning).__name__}; it is a Learning, or None.")
    values = asdict(learning)
    for key, value in values.items():
        if key in ("figure", "measured_on"):
            values[key] = str(value)
        elif value is not None or key != "chance":
            number = _numbers(value, f"{name} left the figure '{key}' of what it learned")
            if number.ndim or not np.isfinite(number):
                raise OutputError(f"{name} left the figure '{key}' of what it learned, which is {value}.")
            values[key] = float(number)
    return values


def checked_notes(notes: Any, name: str) -> list[str]:
    """What a component noted.

    Args:
        notes: as it left them.
        name: of the component.

    Raises:
        OutputError: they are no texts.
    """
    if isinstance(notes, str) or not isinstance(notes, Sequence) or not all(isinstance(note, str) for note in notes):
        raise OutputError(f"{name} left notes that are no list of texts.")
    return list(notes)


def checked_count(count: Any, name: str) -> int:
    """Learned numbers of a network.

    Args:
        count: as the extractor left it.
        name: of the extractor.

    Raises:
        OutputError: it is no whole number from 0.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
        raise OutputError(f"{name} left a parameter_count of {count!r}; it is a whole number from 0.")
    return int(count)


def _numbers(values: Any, given: str) -> NDArray[np.float64]:
    try:
        found = np.asarray(values)
        if found.dtype.kind not in "fiub":
            raise ValueError(found.dtype)
        return found.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise OutputError(f"{given} that are no real numbers ({error}).") from error
