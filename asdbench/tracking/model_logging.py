"""Save a detector as an MLflow model, or log it into the run that it came from."""

import os
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from asdbench import __version__
from asdbench.core.errors import AsdbenchError, RequirementError, UsageError
from asdbench.core.files import require_writable, whole_folder
from asdbench.core.progress import Progress
from asdbench.detector.detector import Detector
from asdbench.detector.fitting import fit_run
from asdbench.detector.recordings import Sound
from asdbench.harness.record import RunRecord, load_record
from asdbench.tracking.store import Store, connect, quiet, reason_of, why_away

CODE = Path(__file__).with_name("model_code.py")
LONGEST_EXAMPLE_S = 10.0


def save_model(
    run: Path,
    to: Path,
    *,
    data_root: Path | None = None,
    plugin_path: Sequence[Path] = (),
    progress: Progress | None = None,
) -> None:
    """Write the detector of a run as an MLflow model, with no store.

    Args:
        run: folder of the run.
        to: folder to be made.
        data_root: where the challenges' data lie.
        plugin_path: folders of third-party components.
        progress: where the work is reported.

    Raises:
        UsageError: the folder is there already, or cannot be written.
        RequirementError: recordings, a component or the trained extractor are not there any more.
    """
    if to.exists():
        raise UsageError(f"--to {to}: it is there already, and nothing is replaced. Remove it, or name another folder.")
    require_writable(to, "--to DIR")
    with TemporaryDirectory(prefix="asdbench-") as temporary:
        detector = fit_run(load_record(run), data_root=data_root, plugin_path=plugin_path, progress=progress)
        arguments = _arguments(detector, Path(temporary))
        import mlflow.pyfunc

        with whole_folder(to) as folder:
            model = folder / "model"
            mlflow.pyfunc.save_model(model, **arguments)
            for path in model.iterdir():  # MLflow makes the folder that it writes to
                path.rename(folder / path.name)
            model.rmdir()


def log_model(
    run: Path,
    store: Store,
    *,
    register: str | None = None,
    data_root: Path | None = None,
    plugin_path: Sequence[Path] = (),
    progress: Progress | None = None,
) -> str:
    """Log the detector of a run into its MLflow run; a run that was not sent yet is sent first.

    Args:
        run: folder of the run.
        store: where the run is tracked.
        register: name in the model registry, of which this becomes the next version.
        data_root: where the challenges' data lie.
        plugin_path: folders of third-party components.
        progress: where the work is reported.

    Returns:
        The model's URI: "models:/m-...", or "models:/NAME/VERSION" of a registered one.

    Raises:
        RequirementError: the store does not answer, or recordings, a component or the trained extractor are gone.
        AsdbenchError: the store refuses it.
    """
    if register is not None and (not register.strip() or re.search(r"[/:]", register)):
        raise UsageError(f"--register '{register}': a name has no '/' and no ':', and is not empty.")
    away = why_away(store)
    if away is not None:
        raise RequirementError(f"{away}.\nWithout a store: asdbench track model {run.name} --to DIR")
    record = load_record(run)
    with TemporaryDirectory(prefix="asdbench-") as temporary:
        detector = fit_run(record, data_root=data_root, plugin_path=plugin_path, progress=progress)
        arguments = _arguments(detector, Path(temporary))
        from asdbench.tracking.log import log_run

        try:
            sent = log_run(connect(store), store, run, data_root=data_root, plugin_path=plugin_path)
            return _log_into(record, store, sent.mlflow_run or "", register, arguments)
        except AsdbenchError:
            raise
        except Exception as error:  # of MLflow, its drivers, the network
            raise AsdbenchError(f"{store.shown} did not take the model: {reason_of(error, store)}") from error


def _log_into(record: RunRecord, store: Store, mlflow_run: str, register: str | None, arguments: dict[str, Any]) -> str:
    import mlflow
    from mlflow.models import Model

    client = mlflow.MlflowClient(store.uri, store.uri)
    run = client.get_run(mlflow_run)
    tags = {"mlflow.source.name": "asdbench track model", "mlflow.source.type": "LOCAL"}
    model = client.create_logged_model(  # MLflow itself would take the active experiment, not the run's
        run.info.experiment_id,
        name=re.sub(r"[^\w-]+", "-", record.name).strip("-"),
        source_run_id=mlflow_run,
        tags={**tags, "asdbench.run_id": record.run_id, "mlflow.user": run.data.tags.get("mlflow.user", "unknown")},
        params=run.data.params,
    )
    known = mlflow.tracking.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    before = mlflow.get_tracking_uri() if known else None
    mlflow.set_tracking_uri(store.uri)  # what Model.log speaks to; a registry that the user has named stays
    try:
        with redirect_stderr(StringIO()):  # the address says what is registered
            info = Model.log(  # as mlflow.pyfunc.log_model, which takes no run
                artifact_path=None,
                flavor=mlflow.pyfunc,
                run_id=mlflow_run,
                model_id=model.model_id,
                registered_model_name=register,
                **arguments,
            )
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]
    if register is not None and info.registered_model_version is not None:
        return f"models:/{register}/{info.registered_model_version}"
    return str(info.model_uri)


def _arguments(detector: Detector, temporary: Path) -> dict[str, Any]:
    """What MLflow is given of a detector, whether it is saved or logged; its file is written into a folder."""
    quiet()
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")  # a project in the working directory is not the model's
    from asdbench.tracking.model import DETECTOR, SIGNATURE

    return {
        "python_model": str(CODE),
        "artifacts": {DETECTOR: str(detector.save(temporary / "detector.asd"))},
        "signature": SIGNATURE,
        "input_example": _example(detector),
        "pip_requirements": [f"asdbench=={__version__}"],  # named, so that MLflow does not go looking for them
    }


def _example(detector: Detector) -> Any:
    """One sound as a DataFrame, about as short as the detector takes it."""
    import pandas as pd

    machine, sections = next(iter(detector.machines.items()))
    rate_hz, count = detector.sample_rate_hz, detector.min_samples
    noise = 0.1 * np.random.default_rng(0).standard_normal(max(count, round(LONGEST_EXAMPLE_S * rate_hz)))
    samples = noise.round(3).astype(np.float32)
    while count < len(samples) and detector.score(Sound(samples[:count], rate_hz), machine, sections[0]).errors:
        count *= 2  # too short for the extractor
    waveform = [round(float(value), 3) for value in samples[:count]]
    return pd.DataFrame(
        {"waveform": [waveform], "sample_rate_hz": [rate_hz], "machine": [machine], "section": [sections[0]]}
    )
