"""The ``asdbench`` command. Verbs live in files of their own and import what they need when they run."""

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from asdbench import __version__
from asdbench.cli import (
    cache,
    check,
    compare,
    completion,
    data,
    doctor,
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
from asdbench.cli.help import WIDEST, App, Verbs
from asdbench.cli.output import echo, replace_unknown_characters
from asdbench.core.errors import AsdbenchError
from asdbench.core.packages import missing_package
from asdbench.core.paths import user_path

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """Files or folders, as the shell has them."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="dir" if param.metavar == "DIR" else "file")]


class Commands(Verbs):
    """Turns errors that a user can act on into a message and an exit code, without a traceback."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.commands = {name: self.commands[name] for verbs in VERBS.values() for name, *_ in verbs}  # in this order
        _expand_paths(self)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line, whatever the output can show; or answer a shell."""
        replace_unknown_characters()
        if completion.VARIABLE in os.environ and completion.answer(self):
            sys.exit(0)
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
    except ModuleNotFoundError as error:
        missing = missing_package(error)
        if missing is None:
            raise
        echo(f"asdbench: {missing}", err=True)
        raise typer.Exit(missing.exit_code) from error
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


STORIES = """
Three ways to begin:

  A researcher ranks systems, here on the machines that ship with asdbench:
    asdbench run --extractor raw-mel --extractor simclr --scorer mahalanobis-ml
  An engineer fits a detector to recordings of a healthy machine:
    asdbench fit recordings/pump --extractor raw-mel --scorer knn --to pump.asd
  An author of a method lets it be checked, then runs it like any other:
    asdbench check my-scorer --plugin-path my-folder

Everything about one verb: asdbench VERB --help
"""

app = App(
    name="asdbench",
    cls=Commands,
    help="Benchmark harness and leaderboard for anomalous sound detection.",
    epilog=STORIES,
    no_args_is_help=True,
    suggest_commands=False,  # click does
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": WIDEST},
)
Registered = tuple[str, Callable[..., None] | typer.Typer, str]
VERBS: dict[str, tuple[Registered, ...]] = {
    "Compare systems": (
        ("run", run.run, "Train, score and evaluate systems: the main job."),
        ("tune", tune.tune, "Find the best parameters of a system."),
        ("compare", compare.compare, "Say which of several systems is better, and how sure that is."),
        ("report", report.report, "Write a page about one run: curves, scores, worst mistakes."),
        ("reproduce", reproduce.reproduce, "Set published numbers of a system beside what comes out here."),
    ),
    "Detectors for your own machine": (
        ("fit", fit.fit, "Fit a detector to recordings of a healthy machine."),
        ("score", score.score, "Score new recordings: alarm or not, and why."),
        ("serve", serve.serve, "Serve a detector over HTTP."),
        ("export", export.export, "Write a detector as one ONNX file."),
    ),
    "Methods of your own": (
        ("list", list_.list_, "List what can be named: systems, extractors, scorers ..."),
        ("show", show.show, "Show what one of them is: parameters, citation, origin."),
        ("check", check.check, "Say whether a component keeps its contract."),
    ),
    "Boards and score files": (
        ("evaluate", evaluate.evaluate, "Compute the official scores of anybody's score files."),
        ("leaderboard", leaderboard.app, "Put runs and score files on boards, and render them."),
        ("transfer", transfer.transfer, "Say what the order on one board is worth on another."),
        ("submit", submit.submit, "Write or check an entry to the challenge."),
    ),
    "Data, weights, runs and the rest": (
        ("data", data.app, "Make, download, verify and look at data sets."),
        ("weights", weights.app, "List and download published weights of encoders."),
        ("runs", runs.app, "Find, show and export runs."),
        ("track", track.app, "Log runs and models to MLflow."),
        ("ui", ui.ui, "Open MLflow's page on the runs."),
        ("cache", cache.app, "Look at, limit and clear what is stored between runs."),
        ("doctor", doctor.doctor, "Look whether everything here is well, and say what to do."),
        ("completion", completion.completion, "Print the script by which a shell completes all this."),
    ),
}
for heading, verbs in VERBS.items():
    for name, verb, summary in verbs:
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=name, short_help=summary, rich_help_panel=heading)
        else:
            app.command(name, short_help=summary, rich_help_panel=heading)(verb)


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
    """Benchmark harness and leaderboard for anomalous sound detection."""


def main() -> None:
    """Entry point of the console script."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # looking for them costs as much as the registry itself
    app(prog_name="asdbench")  # also of python -m asdbench, whose usage errors would name it otherwise
