"""``asdbench track model``: a trained system becomes an MLflow model."""

from pathlib import Path
from typing import Annotated

import typer

from asdbench.cli.options import DataRoot, PluginPath, Quiet
from asdbench.cli.output import echo


def model(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, the beginning of one, or a folder.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the runs' folders lie.")] = Path("runs"),
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Write the model to this new folder; no store is asked."),
    ] = None,
    register: Annotated[
        str | None,
        typer.Option("--register", metavar="NAME", help="Make it the next version of this registered model."),
    ] = None,
    data_root: DataRoot = None,
    plugin_path: PluginPath = None,
    quiet: Quiet = False,
) -> None:
    """Make a run's trained system an MLflow model.

    It takes recordings and gives anomaly scores and decisions: for the run's own clips those of the run. It goes into
    the run's own MLflow run; a run that was not sent yet is sent first. What the extractor has learned is taken from
    the cache. Standard output is the model's address; how to load it follows on standard error.
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.core.errors import UsageError
    from asdbench.harness.store import find_run
    from asdbench.tracking.model_logging import log_model, save_model
    from asdbench.tracking.store import store_of

    if to is not None and register is not None:
        raise UsageError("--to and --register do not go together: a folder lies in no registry.")
    folder = find_run(run, out.expanduser())
    progress = ConsoleProgress(quiet)
    if to is not None:
        to = to.expanduser().absolute()
        save_model(folder, to, data_root=data_root, plugin_path=plugin_path or (), progress=progress)
        uri, address = str(to), None
    else:
        store = store_of(_out(folder, out.expanduser()))
        uri = log_model(
            folder,
            store,
            register=register,
            data_root=data_root,
            plugin_path=plugin_path or (),
            progress=progress,
        )
        address = store.shown
    echo(uri)
    if not quiet:
        echo(snippet(uri, address, folder), err=True)


def _out(folder: Path, out: Path) -> Path:
    """The folder beside whose runs the store lies; of a run given as a path the nearest one that has a store."""
    from asdbench.tracking.store import DATABASE

    places = folder.resolve().parents
    if out.resolve() in places:
        return out
    return next((place for place in places if (place / DATABASE).is_file()), folder.parent)


def snippet(uri: str, store: str | None, folder: Path) -> str:
    """How to load the model and score a recording, in Python."""
    from asdbench.harness.record import load_record

    machine = next(iter(load_record(folder, files=False).thresholds))
    where = f'import mlflow; mlflow.set_tracking_uri("{store}")' if store else "import mlflow"
    return "\n".join(
        [
            "",
            where,
            f'model = mlflow.pyfunc.load_model("{uri}")',
            f'model.predict([{{"recording": "clip.wav", "machine": "{machine}"}}])',
        ]
    )
