"""The ``asdbench`` command. Verbs live in files of their own and import what they need when they run."""

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from asdbench import __version__
from asdbench.cli import (
    cache,
    compare,
    data,
    evaluate,
    leaderboard,
    list_,
    report,
    run,
    runs,
    show,
    submit,
    track,
    tune,
    ui,
)
from asdbench.core.errors import AsdbenchError

INTERRUPTED = 130


class Commands(TyperGroup):
    """Turns errors that a user can act on into a message and an exit code; no traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except AsdbenchError as error:
            typer.echo(f"asdbench: {error}", err=True)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            typer.echo(
                "asdbench: interrupted. Finished stages are kept; the same command goes on from there.",
                err=True,
            )
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="asdbench",
    cls=Commands,
    help="Benchmark harness and leaderboard for anomalous sound detection.",
    no_args_is_help=True,
    suggest_commands=False,  # click does
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich for the help alone takes longer than the rest of it
)
app.command("run")(run.run)
app.command("tune")(tune.tune)
app.command("evaluate")(evaluate.evaluate)
app.command("list")(list_.list_)
app.command("show")(show.show)
app.command("compare")(compare.compare)
app.command("report")(report.report)
app.command("submit")(submit.submit)
app.command("ui")(ui.ui)
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")
app.add_typer(cache.app, name="cache")
app.add_typer(leaderboard.app, name="leaderboard")
app.add_typer(track.app, name="track")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asdbench {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Benchmark harness and leaderboard for anomalous sound detection.

    The main job: asdbench run --extractor simclr --scorer mahalanobis-ml
    """


def main() -> None:
    """Entry point of the console script."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # looking for them costs as much as the registry itself
    app()
