"""Save a trained system as an MLflow model, or log it into the run that it came from."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from asdbench import __version__
from asdbench.core.errors import AsdbenchError, DataError, RequirementError, UsageError
from asdbench.core.files import in_folder, require_writable, whole_folder
from asdbench.core.progress import Progress
from asdbench.harness.record import RunRecord, load_record
from asdbench.harness.replay import reopen
from asdbench.harness.store import name_of
from asdbench.tracking.client import Client
from asdbench.tracking.quiet import quiet
from asdbench.tracking.reach import why_away
from asdbench.tracking.reasons import reason_of
from asdbench.tracking.sending import send_run
from asdbench.tracking.store import Store
from asdbench.trained import Sound, TrainedSystem, load_system, save_system

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
    """Write the trained system of a run as an MLflow model, with no store.

    Args:
        run: folder of the run.
        to: folder to be made.
        data_root: where the challenges' data lie.
        plugin_path: folders of third-party parts.
        progress: where the work is reported.

    Raises:
        UsageError: the folder is there already, or cannot be written.
        RequirementError: recordings, a component or the trained extractor are not there any more.
    """
    if to.exists():
        raise UsageError(f"--to {to}: it is there already, and nothing is replaced. Remove it, or name another folder.")
    require_writable(to, "--to DIR")
    with TemporaryDirectory(prefix="asdbench-") as room:
        system = save_system(
            load_record(run), Path(room) / "system", data_root=data_root, plugin_path=plugin_path, progress=progress
        )
        arguments = _arguments(system, plugin_path)
        import mlflow.pyfunc

        with whole_folder(to) as folder:
            mlflow.pyfunc.save_model(folder / "model", **arguments)
            _take_up(folder / "model", folder)


def log_model(
    run: Path,
    store: Store,
    *,
    register: str | None = None,
    data_root: Path | None = None,
    plugin_path: Sequence[Path] = (),
    progress: Progress | None = None,
) -> str:
    """Log the trained system of a run into its MLflow run; a run that was not sent yet is sent first.

    Args:
        run: folder of the run.
        store: where the run is tracked.
        register: name in the model registry, of which this becomes the next version.
        data_root: where the challenges' data lie.
        plugin_path: folders of third-party parts.
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
    with TemporaryDirectory(prefix="asdbench-") as room:
        system = save_system(
            record, Path(room) / "system", data_root=data_root, plugin_path=plugin_path, progress=progress
        )
        arguments = _arguments(system, plugin_path)
        try:
            sent = send_run(Client(store), run, lambda: _trained(record, data_root, plugin_path))
            return _logged(record, store, sent.mlflow_run, register, arguments)
        except AsdbenchError:
            raise
        except Exception as error:  # of MLflow, its drivers, the network
            raise AsdbenchError(f"{store.shown} did not take the model: {reason_of(error, store)}") from error


def _logged(record: RunRecord, store: Store, mlflow_run: str, register: str | None, arguments: dict[str, Any]) -> str:
    import mlflow
    from mlflow.models import Model

    client = mlflow.MlflowClient(store.uri, store.uri)
    run = client.get_run(mlflow_run)
    place = client.create_logged_model(  # here, because MLflow would take the experiment that is active, not the run's
        run.info.experiment_id,
        name=re.sub(r"[^\w-]+", "-", name_of(record)).strip("-"),
        source_run_id=mlflow_run,
        tags={
            "asdbench.run_id": record.run_id,
            "mlflow.source.name": "asdbench track model",
            "mlflow.source.type": "LOCAL",
            **{name: run.data.tags[name] for name in ("mlflow.user",) if name in run.data.tags},
        },
        params=run.data.params,
    )
    with _spoken_to(store), redirect_stderr(StringIO()):  # what is registered is told by the address
        info = Model.log(  # as mlflow.pyfunc.log_model, which cannot be told the run
            artifact_path=None,
            flavor=mlflow.pyfunc,
            run_id=mlflow_run,
            model_id=place.model_id,
            registered_model_name=register,
            **arguments,
        )
    if register is not None and info.registered_model_version is not None:
        return f"models:/{register}/{info.registered_model_version}"
    return str(info.model_uri)


@contextmanager
def _spoken_to(store: Store) -> Iterator[None]:
    """Make the store MLflow's own for a while; a registry that the user has named besides stays."""
    import mlflow

    known = mlflow.tracking.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    before = mlflow.get_tracking_uri() if known else None
    mlflow.set_tracking_uri(store.uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]


def _arguments(folder: Path, plugin_path: Sequence[Path]) -> dict[str, Any]:
    """What MLflow is given of a system, whether it is saved or logged."""
    quiet()
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")  # the project one stands in is not the model's
    from asdbench.tracking.model import SIGNATURE, SYSTEM

    return {
        "python_model": str(CODE),
        "artifacts": {SYSTEM: str(folder)},
        "signature": SIGNATURE,
        "input_example": example(load_system(folder, plugin_path=plugin_path)),
        "pip_requirements": [f"asdbench=={__version__}"],  # named, so that MLflow does not go looking for them
    }


def example(system: TrainedSystem) -> Any:
    """One short sound as a DataFrame, as long as the system needs it at least."""
    import pandas as pd

    machine, sections = next(iter(system.machines.items()))
    rate = system.sample_rate_hz
    count = 2 ** int(np.ceil(np.log2(system.min_samples)))
    noise = 0.1 * np.random.default_rng(0).standard_normal(max(count, round(LONGEST_EXAMPLE_S * rate)))
    samples = noise.round(3).astype(np.float32)
    while count < len(samples):
        try:
            system.score([Sound(samples[:count], rate)], machine, sections[0])
            break
        except DataError:  # too short for the extractor
            count = min(2 * count, len(samples))
    waveform = [round(float(value), 3) for value in samples[:count]]
    return pd.DataFrame(
        {"waveform": [waveform], "sample_rate_hz": [rate], "machine": [machine], "section": [sections[0]]}
    )


def _trained(record: RunRecord, data_root: Path | None, plugin_path: Sequence[Path]) -> dict[Path, list[str]]:
    """Folders of the run's trained extractors, and the machine types that share each."""
    replay = reopen(record, data_root=data_root, plugin_path=plugin_path)
    fits = (replay.fit(machine) for machine in record.thresholds)
    return {fit.trained: fit.machines for fit in fits}


def _take_up(inner: Path, folder: Path) -> None:
    """Move what MLflow wrote into a folder of its own up by one."""
    for place in inner.iterdir():
        in_folder(folder, lambda place=place: place.rename(folder / place.name))  # type: ignore[misc]
    inner.rmdir()
