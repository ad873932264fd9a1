"""The ``asdbench`` command. Verbs live in files of their own and import what they need when they run."""

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import click
import typer
from typer.core import TyperGroup

from asdbench import __version__
from asdbench.cli import (
    cache,
    check,
    compare,
    data,
    evaluate,
    export,
    fit,
    leaderboard,
    list_,
    report,
    reproduce,
    run,
    runs,
    score,
    serve,
    show,
    submit,
    track,
    transfer,
    tune,
    ui,
    weights,
)
from asdbench.cli.output import echo, replace_unknown_characters
from asdbench.core.errors import AsdbenchError
from asdbench.core.paths import user_path

INTERRUPTED = 130
REFUSALS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP}  # of a file system


class PathOption(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A path of the command line, in which ``~`` is the home folder."""

    name = "path"

    def __init__(self, path: click.Path) -> None:
        self._path = path

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Expand the value, then check it as the option asks."""
        try:
            return self._path.convert(str(user_path(value)), param, ctx)
        except ValueError as error:
            self.fail(f"{value} {error}.", param, ctx)


class Commands(TyperGroup):
    """Turns errors that a user can act on into a message and an exit code, without a traceback."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        _expand_paths(self)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line, whatever the output can show."""
        replace_unknown_characters()
        with _interrupts_raised_again():
            return super().main(*args, **options)

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the options in front of the verb."""
        with _errors_as_messages():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        with _errors_as_messages():
            return super().invoke(ctx)


def _expand_paths(command: click.Command) -> None:
    """Give every path of every verb the type that knows ``~``."""
    for param in command.params:
        if isinstance(param.type, click.Path):
            param.type = PathOption(param.type)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _expand_paths(inner)


@contextmanager
def _interrupts_raised_again() -> Iterator[None]:
    """Let a Ctrl-C count that comes while an object is freed, where Python ignores exceptions."""
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def _errors_as_messages() -> Iterator[None]:
    try:
        yield
    except AsdbenchError as error:
        echo(f"asdbench: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except click.ClickException as error:
        message = io.StringIO()
        error.show(message)
        echo(message.getvalue(), err=True, nl=False)
        raise typer.Exit(error.exit_code) from error
    except OSError as error:
        if error.errno not in REFUSALS or error.filename is None:
            raise
        echo(
            f"asdbench: {os.fsdecode(error.filename)}: {error.strerror}.\nGive a place that you may use, or ask its "
            "owner; then give the same command again: what is finished is stored.",
            err=True,
        )
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        echo("asdbench: interrupted. Finished stages are stored; the same command goes on from there.", err=True)
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
app.command("reproduce")(reproduce.reproduce)
app.command("tune")(tune.tune)
app.command("evaluate")(evaluate.evaluate)
app.command("fit")(fit.fit)
app.command("score")(score.score)
app.command("serve")(serve.serve)
app.command("export")(export.export)
app.command("list")(list_.list_)
app.command("show")(show.show)
app.command("check")(check.check)
app.command("compare")(compare.compare)
app.command("transfer")(transfer.transfer)
app.command("report")(report.report)
app.command("submit")(submit.submit)
app.command("ui")(ui.ui)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")
app.add_typer(runs.app, name="runs")
app.add_typer(cache.app, name="cache")
app.add_typer(leaderboard.app, name="leaderboard")
app.add_typer(track.app, name="track")


def _version(wanted: bool) -> None:
    if wanted:
        echo(f"asdbench {__version__}")
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
