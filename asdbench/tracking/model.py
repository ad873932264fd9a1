"""A detector behind MLflow's ``predict``; imported by MLflow when a logged model is loaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from asdbench.core.errors import AsdbenchError, DataError, UsageError
from asdbench.detector.detector import Detector
from asdbench.detector.recordings import Sound

T = TypeVar("T")
DETECTOR, SYSTEM = "detector", "system"  # names of the artifact: now, and a folder of older versions
RECORDING, WAVEFORM, RATE, MACHINE, SECTION = "recording", "waveform", "sample_rate_hz", "machine", "section"
_ANY = AnyType()  # type: ignore[no-untyped-call]
SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec("string", RECORDING, required=False),
            ColSpec(_ANY, WAVEFORM, required=False),  # a list or array of any float, one channel or several
            ColSpec(_ANY, RATE, required=False),  # 16000 and 16000.0 alike
            ColSpec("string", MACHINE, required=False),
            ColSpec("string", SECTION, required=False),
        ]
    ),
    outputs=Schema([ColSpec("double", "anomaly_score"), ColSpec("long", "anomaly")]),
)


class AnomalyDetector(PythonModel):
    """Scores recordings: a row each, given by its path or by its samples.

    Columns of the input: ``recording`` (path of a .wav or .flac file), or ``waveform`` (floats in [-1, 1], (samples,)
    or (samples, channels)) and ``sample_rate_hz``; ``machine``, which may be left out where the detector knows one
    machine type; ``section``, which is the machine type's first one where it is left out.
    """

    def __init__(self) -> None:
        self._detector: Detector | None = None

    def load_context(self, context: Any) -> None:
        """Open the detector; what of it is missing here is an error now."""
        path = context.artifacts.get(DETECTOR) or context.artifacts[SYSTEM]
        self._detector = _as_mlflow_error(lambda: Detector.load(Path(path)))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Anomaly score (higher is more anomalous) and decision (1 is anomalous) of each row.

        Raises:
            MlflowException: rows that cannot be scored, named with the reason; INVALID_PARAMETER_VALUE.
        """
        return _as_mlflow_error(lambda: self._predicted(pd.DataFrame(model_input)))

    def _predicted(self, table: pd.DataFrame) -> pd.DataFrame:
        assert self._detector is not None, "MLflow loads the context first"
        if not len(table) or not {RECORDING, WAVEFORM} & set(table.columns):
            raise UsageError(
                f"There is nothing to score. Give rows with '{RECORDING}' (a path), or '{WAVEFORM}' and '{RATE}'."
            )
        recordings = [_recording(row, number) for number, row in enumerate(table.to_dict("records"))]
        scores = np.empty(len(recordings), np.float64)
        decisions = np.empty(len(recordings), np.int64)
        for (machine, section), rows in _groups(table).items():
            scored = self._detector.score([recordings[row] for row in rows], machine, section)
            if scored.errors:
                problems = [f"{one.path}: {one.error}" for one in scored.errors]
                raise DataError(f"{len(problems)} of {len(scored)} recording(s) cannot be scored:", problems)
            scores[rows], decisions[rows] = scored.scores, scored.decisions
        return pd.DataFrame({"anomaly_score": scores, "anomaly": decisions}, index=table.index)


def _as_mlflow_error(work: Callable[[], T]) -> T:
    """What is a user's mistake becomes MLflow's own kind of error: a server answers 400, not 500."""
    try:
        return work()
    except AsdbenchError as error:
        raise MlflowException.invalid_parameter_value(str(error)) from error


def _groups(table: pd.DataFrame) -> dict[tuple[str | None, str | None], list[int]]:
    """Rows of each machine type and section as they are given."""
    groups: dict[tuple[str | None, str | None], list[int]] = {}
    for number, row in enumerate(table.to_dict("records")):
        machine, section = (str(row[name]) if _given(row, name) else None for name in (MACHINE, SECTION))
        groups.setdefault((machine, section), []).append(number)
    return groups


def _recording(row: dict[Any, Any], number: int) -> str | Sound:
    if _given(row, RECORDING) == _given(row, WAVEFORM):
        raise UsageError(f"Row {number}: give either '{RECORDING}' (a path) or '{WAVEFORM}' and '{RATE}'.")
    if _given(row, RECORDING):
        return str(row[RECORDING])
    if not _given(row, RATE):
        raise UsageError(f"Row {number}: '{WAVEFORM}' needs '{RATE}', the rate at which it was sampled.")
    samples = row[WAVEFORM]
    try:
        # Lists come from JSON, where 0 is no float.
        values = samples if isinstance(samples, np.ndarray) else np.asarray(samples, np.float32)
        return Sound(values, float(row[RATE]), f"row {number}")
    except (TypeError, ValueError) as error:
        raise UsageError(f"Row {number}: '{WAVEFORM}' and '{RATE}' take numbers ({error}).") from error


def _given(row: dict[Any, Any], name: str) -> bool:
    """Whether there is a value: neither None nor the NaN by which pandas fills up."""
    value = row.get(name)
    return value is not None and value is not pd.NA and not (isinstance(value, float) and np.isnan(value))
