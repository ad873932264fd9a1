"""``asdbench track``: what was logged to MLflow, and sending later what was not."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli import track_model
from asdbench.cli.options import AsJson, DataRoot, PluginPath, Quiet
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.tracking.marks import Sent

app = typer.Typer(help="Log runs to MLflow.", no_args_is_help=True, suggest_commands=False)
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the runs' folders lie.")]


@app.command()
def sync(
    out: Out = Path("runs"),
    data_root: DataRoot = None,
    plugin_path: PluginPath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Send every run and study that the store does not have yet, each once.

    The store is MLFLOW_TRACKING_URI, else mlflow.db in the folder of runs. What was half sent is completed.
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.core.errors import AsdbenchError
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
    _print(done, store.shown, away, as_json)
    if away is not None:
        raise AsdbenchError(
            f"Nothing more can be sent: {away}\n"
            "Once it is back, asdbench track sync sends what is missing; MLFLOW_TRACKING_URI names another store."
        )
    if any(one.state == "failed" for one in done):
        raise typer.Exit(1)


@app.command()
def status(out: Out = Path("runs"), as_json: AsJson = False) -> None:
    """Show which store it is, whether it answers, and what it does not have; sends nothing."""
    from asdbench.tracking.marks import read_mark
    from asdbench.tracking.store import store_of
    from asdbench.tracking.sync import folders_of, missing_in

    store = store_of(out)
    folders = folders_of(out)
    missing, away = missing_in(store, folders)
    reasons = {folder: read_mark(folder, store).reason for folder in missing}
    if as_json:
        rows = [{"folder": str(folder), "reason": reason} for folder, reason in reasons.items()]
        content = {"store": store.shown, "away": away, "sent": len(folders) - len(missing), "missing": rows}
        print_json(json.dumps(content, indent=2))
        return
    echo(f"{store.shown}: {away or 'it answers'}")
    echo(f"{len(folders) - len(missing)} of {len(folders)} runs and studies are there")
    for folder, reason in reasons.items():
        echo(f"missing: {folder.name}: {reason or 'not sent yet'}")
    if missing:
        echo(f"Next: asdbench track sync{'' if out == Path('runs') else f' --out {out}'}")


def _print(done: "list[Sent]", shown: str, away: str | None, as_json: bool) -> None:
    if as_json:
        rows = [
            {"folder": str(one.folder), "state": one.state, "mlflow_run": one.mlflow_run, "reason": one.reason}
            for one in done
        ]
        print_json(json.dumps({"store": shown, "away": away, "runs": rows}, indent=2))
        return
    for one in done:
        if one.state == "failed":
            echo(f"not sent: {one.folder.name}: {one.reason}", fg="red", err=True)
        elif one.state == "sent":
            echo(f"sent: {one.folder.name}{f' ({one.reason})' if one.reason else ''}")
    sent, there = (sum(one.state == state for one in done) for state in ("sent", "there"))
    echo(f"{shown}: {sent} sent, {there} there already, {len(done) - sent - there} failed")


app.command("model")(track_model.model)
