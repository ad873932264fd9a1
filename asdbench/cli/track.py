"""``asdbench track``: what was logged to MLflow, sending later what was not, and models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import RUNS, AsJson, DataRoot, Out, PluginPath, Quiet, RunName, group, option
from asdbench.cli.output import echo, print_json
from asdbench.core.commands import command
from asdbench.core.errors import AsdbenchError, UsageError

if TYPE_CHECKING:
    from asdbench.tracking.marks import Sent

app = group("Log runs to MLflow.")


@app.command()
def sync(
    out: Out = RUNS,
    data_root: DataRoot = None,
    plugin_path: PluginPath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Send every run and study that the store does not have yet, each once.

    The store is MLFLOW_TRACKING_URI, else mlflow.db in the folder of runs. What was half sent is completed.

    Example: asdbench track sync
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.tracking.store import store_of
    from asdbench.tracking.sync import folders_of
    from asdbench.tracking.sync import sync as send_missing

    store = store_of(out)
    done: list[Sent] = []
    with ConsoleProgress(quiet).stage("tracking", len(folders_of(out))) as stage:
        for one in send_missing(out, store, data_root, plugin_path or ()):
            done.append(one)
            stage.advance(1, one.folder.name)
    away = next((one.reason for one in done if one.state == "away"), None)
    if as_json:
        rows = [{**vars(one), "folder": str(one.folder)} for one in done]
        print_json({"store": store.shown, "away": away, "runs": rows})
    else:
        _print(done, store.shown)
    if away is not None:
        raise AsdbenchError(
            f"Nothing more can be sent: {away}\n"
            "Once it is back, asdbench track sync sends what is missing; MLFLOW_TRACKING_URI names another store."
        )
    if any(one.state == "failed" for one in done):
        raise typer.Exit(1)


def _print(done: "Sequence[Sent]", store: str) -> None:
    for one in done:
        if one.state == "failed":
            echo(f"not sent: {one.folder.name}: {one.reason}", fg="red", err=True)
        elif one.state == "sent":
            echo(f"sent: {one.folder.name}{f' ({one.reason})' if one.reason else ''}")
    states = [one.state for one in done]
    sent, there = states.count("sent"), states.count("there")
    echo(f"{store}: {sent} sent, {there} there already, {len(done) - sent - there} failed")


@app.command()
def status(out: Out = RUNS, as_json: AsJson = False) -> None:
    """Show which store it is, whether it answers, and what it does not have; sends nothing.

    Example: asdbench track status
    """
    from asdbench.tracking.marks import read_mark
    from asdbench.tracking.store import store_of
    from asdbench.tracking.sync import folders_of, missing_in

    store = store_of(out)
    folders = folders_of(out)
    missing, away = missing_in(store, folders)
    reasons = {folder: read_mark(folder, store).reason for folder in missing}
    sent = len(folders) - len(missing)
    if as_json:
        rows = [{"folder": str(folder), "reason": reason} for folder, reason in reasons.items()]
        print_json({"store": store.shown, "away": away, "sent": sent, "missing": rows})
        return
    echo(f"{store.shown}: {away or 'it answers'}")
    echo(f"{sent} of {len(folders)} runs and studies are there")
    for folder, reason in reasons.items():
        echo(f"missing: {folder.name}: {reason or 'not sent yet'}")
    if missing:
        echo(f"Next: {command('track sync', out=out)}")


@app.command()
def model(
    run: RunName,
    out: Out = RUNS,
    to: Annotated[Path | None, option("DIR", "Write the model to this new folder; no store is asked.")] = None,
    register: Annotated[str | None, option("NAME", "Make it the next version of this registered model.")] = None,
    data_root: DataRoot = None,
    plugin_path: PluginPath = None,
    quiet: Quiet = False,
) -> None:
    """Make a run's trained system an MLflow model.

    It takes recordings and gives anomaly scores and decisions: for the run's own clips those of the run. It goes into
    the run's own MLflow run; a run that was not sent yet is sent first. What the extractor has learned is taken from
    the cache. Standard output is the model's address; how to load it follows on standard error.

    Example: asdbench track model latest --register pump
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.harness.run_names import find_run
    from asdbench.tracking.model_logging import log_model, save_model
    from asdbench.tracking.store import DATABASE, store_of

    if to is not None and register is not None:
        raise UsageError("--to and --register do not go together: a folder lies in no registry.")
    folder, store = find_run(run, out), None
    progress, plugins = ConsoleProgress(quiet), plugin_path or ()
    if to is not None:
        uri = str(to.absolute())
        save_model(folder, to.absolute(), data_root=data_root, plugin_path=plugins, progress=progress)
    else:
        if out.resolve() not in folder.resolve().parents:  # given as a path: the nearest folder above that has a store
            above = (place for place in folder.resolve().parents if (place / DATABASE).is_file())
            out = next(above, folder.parent)
        store = store_of(out)
        uri = log_model(folder, store, register=register, data_root=data_root, plugin_path=plugins, progress=progress)
    echo(uri)
    if not quiet:
        echo(snippet(uri, store.shown if store else None, folder), err=True)


def snippet(uri: str, store: str | None, folder: Path) -> str:
    """How to load the model and score a recording, in Python."""
    from asdbench.harness.record import load_record

    machine = next(iter(load_record(folder, files=False).thresholds))
    return "\n".join(
        [
            "",
            f'import mlflow; mlflow.set_tracking_uri("{store}")' if store else "import mlflow",
            f'model = mlflow.pyfunc.load_model("{uri}")',
            f'model.predict([{{"recording": "clip.wav", "machine": "{machine}"}}])',
        ]
    )
