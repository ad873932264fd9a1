"""What components return is checked before anything is made of it, and the failure of one costs no other.

Every check returns the value as it is stored, or raises ``OutputError`` with the component's name.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.core.faults import fault_of
from asdbench.core.locks import BusyError
from asdbench.extractors.learning import Learning
from asdbench.harness.record import Failure

CONSTANT = 1e-6  # spread over size: below it, float32 holds nothing but rounding
RANK_ONE = 1e-3  # second over first singular value: all clips lie on one line


class OutputError(AsdbenchError):
    """A component returned something that nothing can be made of."""


@contextmanager
def recorded(failures: list[Failure], stage: str, machine: str | None) -> Iterator[None]:
    """Turn an error of what is done within into an entry of ``failures``; plugins may raise anything.

    What would meet every stage (a wrong parameter, bad recordings, a full disk) and a lock that is taken pass through.
    """
    try:
        yield
    except BusyError:
        raise
    except AsdbenchError as error:
        if error.concerns_all:
            raise
        failures.append(Failure(stage=stage, machine=machine, reason=str(error)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin that leaves must not take the command along
        fault = fault_of(error)
        failures.append(Failure(stage=stage, machine=machine, reason=fault.reason, detail=fault.detail))


def checked_embeddings(rows: Any, clips: int, name: str, machine: str) -> NDArray[np.float32]:
    """Embeddings of ``clips`` clips of a machine type: float32 (clips, dim) or (clips, bands, dim), finite."""
    try:
        rows = np.asarray(rows)
    except (ValueError, TypeError) as error:
        raise OutputError(f"{name} gave embeddings of {machine} that are no array of numbers ({error}).") from error
    if rows.ndim not in (2, 3) or len(rows) != clips or rows.dtype != np.float32 or 0 in rows.shape[1:]:
        raise OutputError(
            f"{name} gave embeddings {rows.dtype} {rows.shape} for {clips} clips of {machine}; "
            f"the contract is float32 ({clips}, dim), or ({clips}, bands, dim)."
        )
    bad = int(np.sum(~np.isfinite(rows).reshape(clips, -1).all(axis=1)))
    if bad:
        raise OutputError(f"{name} gave embeddings that are not finite for {bad} of {clips} clips of {machine}.")
    embeddings: NDArray[np.float32] = rows
    return embeddings


def checked_scores(scores: Any, clips: int, name: str, what: str = "scores") -> NDArray[np.float64]:
    """Scores, or training scores: float64 (clips,), finite."""
    values = _numbers(scores, f"{name} gave {what}")
    if values.shape != (clips,):
        raise OutputError(f"{name} gave {what} of shape {values.shape} for {clips} clips.")
    bad = int(np.sum(~np.isfinite(values)))
    if bad:
        raise OutputError(f"{name} gave {what} that are not finite for {bad} of {clips} clips.")
    return values


def checked_curves(curves: Any, name: str) -> dict[str, list[float]]:
    """What a training measured, by name: one finite number for each epoch; one whose loss is not finite diverged."""
    if not isinstance(curves, Mapping) or not all(isinstance(key, str) for key in curves):
        raise OutputError(f"{name} left curves that are no mapping of names to numbers.")
    checked = {}
    for key, curve in curves.items():
        values = _numbers(curve, f"{name} left the curve '{key}'")
        if values.ndim != 1:
            raise OutputError(f"{name} left the curve '{key}' of shape {values.shape}; it is one number an epoch.")
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise OutputError(
                f"The training of {name} diverged: its curve '{key}' is {values[bad[0]]} in epoch {bad[0] + 1}."
            )
        checked[key] = values.tolist()
    return checked


def checked_learning(learning: Any, name: str) -> dict[str, Any] | None:
    """Whether a training learned, by the fields of ``Learning``; None where there is nothing to compare."""
    if learning is None:
        return None
    if not isinstance(learning, Learning):
        raise OutputError(f"{name} left learning of type {type(learning).__name__}; it is a Learning, or None.")
    fields = asdict(learning)
    for key, value in fields.items():
        if key in ("figure", "measured_on"):
            fields[key] = str(value)
        elif value is not None or key != "chance":
            number = _numbers(value, f"{name} left the figure '{key}' of what it learned")
            if number.ndim or not np.isfinite(number):
                raise OutputError(f"{name} left the figure '{key}' of what it learned, which is {value}.")
            fields[key] = float(number)
    return fields


def checked_notes(notes: Any, name: str) -> list[str]:
    """What a component noted."""
    if isinstance(notes, str) or not isinstance(notes, Sequence) or not all(isinstance(note, str) for note in notes):
        raise OutputError(f"{name} left notes that are no list of texts.")
    return list(notes)


def checked_count(count: Any, name: str) -> int:
    """Learned numbers of a network."""
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
        raise OutputError(f"{name} left a parameter_count of {count!r}; it is a whole number from 0.")
    return int(count)


def collapse(rows: NDArray[np.float32]) -> str | None:
    """Why a trained network's embeddings of training clips are of no use; None where they are.

    Embeddings, (n, dim) or (n, bands, dim), are of none where they are constant, or all lie on one line though they
    have several dimensions, which fewer than three clips always do.
    """
    import scipy.linalg

    if len(rows) < 3:
        return None
    values = rows.reshape(len(rows), -1).astype(np.float64)
    count, dim = values.shape
    centred = values - values.mean(axis=0)
    if np.sqrt(np.square(centred).mean()) <= CONSTANT * np.sqrt(np.square(values).mean()):
        return f"all {count} clips have the same embedding"
    if dim == 1:
        return None
    gram = centred @ centred.T if count < dim else centred.T @ centred
    second, first = scipy.linalg.eigh(gram, eigvals_only=True, subset_by_index=[len(gram) - 2, len(gram) - 1])
    if np.sqrt(max(second, 0.0)) <= RANK_ONE * np.sqrt(first):
        return f"the embeddings of its {count} clips lie on one line of {dim} dimensions (rank one)"
    return None


def _numbers(values: Any, subject: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise ValueError(array.dtype)
        return array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise OutputError(f"{subject} that are no real numbers ({error}).") from error
