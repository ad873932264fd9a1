"""``asdbench leaderboard``: put runs on boards, render them, compare the pages with their records."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import RUNS, AsJson, GroundTruth, Out, Quiet, group
from asdbench.cli.output import command, echo, print_json

if TYPE_CHECKING:
    from asdbench.core.errors import AsdbenchError

app = group("Put runs on leaderboards and render them.")
BoardDir = Annotated[Path, typer.Option(metavar="DIR", help="Holds results/, references/ and the rendered pages.")]
DEFAULT = Path("leaderboards")
OUTCOMES = {"added": "added", "unchanged": "there already, and equal", "replaced": "replaced"}


@app.command()
def add(
    run: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Run ids, beginnings of them, or folders.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run in the folder of runs.")] = False,
    out: Out = RUNS,
    board_dir: BoardDir = DEFAULT,
    ground_truth: GroundTruth = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of an entry that differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put runs on the leaderboard: their records and scores, one file each in results/.

    What is there already and equal is left as it is. The pages follow with: asdbench leaderboard render
    """
    import functools

    from asdbench.core.errors import AsdbenchError, DiskFullError
    from asdbench.harness.evaluating import truth_for
    from asdbench.harness.record import load_record
    from asdbench.leaderboard import BoardDirError, add_run, read_entries

    folders, failed = _folders(run or [], every, out)
    truth_of = functools.cache(truth_for)
    others = read_entries(board_dir).entries if board_dir.is_dir() else {}
    done = []
    for folder in folders:
        try:
            truth = truth_of(ground_truth, load_record(folder).dataset.protocol) if ground_truth else None
            added = add_run(folder, board_dir, truth, replace=replace, others=others)
        except DiskFullError:
            raise
        except BoardDirError as error:  # the next one would fare no better
            failed.append(error)
            break
        except AsdbenchError as error:
            failed.append(error)
            continue
        done.append({"run": str(folder), "entry": str(added.path), "outcome": added.outcome})
        echo(f"{OUTCOMES[added.outcome]}: {added.path}", err=as_json)
        if added.shortened:
            echo(f"note: of paths only the last part was stored: {', '.join(added.shortened)}", err=True)
    if as_json:
        print_json({"added": done, "failed": [str(error) for error in failed]})
    _print_problems(failed)
    if done:
        echo(f"Next: {_command('render', board_dir)}", err=as_json)
    if failed:
        raise typer.Exit(1 if done else max(error.exit_code for error in failed))


@app.command()
def render(
    board_dir: BoardDir = DEFAULT,
    board: Annotated[str | None, typer.Option(metavar="NAME", help="Only this one, and the index.")] = None,
    quiet: Quiet = False,
) -> None:
    """Render every board as Markdown and as one self-contained HTML page, and the index of all.

    The pages hold what the records in results/ and references/ give and nothing else: the same records, the same bytes.
    """
    from asdbench.leaderboard import make_pages
    from asdbench.leaderboard import render as write_pages

    done = write_pages(board_dir, make_pages(board_dir, board, on_board=_reporting(quiet)))
    for name in done.written:
        echo(f"written: {board_dir / name}")
    for name in done.removed:
        echo(f"removed, of no board any more: {board_dir / name}")
    if not quiet:
        echo(f"{len(done.written)} pages written, {len(done.unchanged)} unchanged, {len(done.removed)} removed")
    _print_problems(done.problems)
    if done.problems:
        raise typer.Exit(1)


@app.command()
def check(board_dir: BoardDir = DEFAULT, quiet: Quiet = False) -> None:
    """Exit with 1 when a page is missing, stale, or not what its records give; changes nothing."""
    from asdbench.leaderboard import check as compare_pages
    from asdbench.leaderboard import make_pages

    pages = make_pages(board_dir, on_board=_reporting(quiet))
    problems = compare_pages(board_dir, pages)
    if len(problems) > len(pages.problems):
        problems.append(f"Render them: {_command('render', board_dir)}")
    _print_problems(problems)
    if problems:
        raise typer.Exit(1)
    echo(f"{len(pages.texts)} pages in {board_dir} match their records")


def _folders(names: list[str], every: bool, runs: Path) -> "tuple[list[Path], list[AsdbenchError]]":
    """The runs that are meant, and what is wrong with those that cannot be read."""
    from asdbench.core.errors import AsdbenchError, UsageError
    from asdbench.harness.store import find_run, find_runs

    if every == bool(names):
        raise UsageError("Name the runs to add, or --all for every run in the folder of --out.")
    if not every:
        return list(dict.fromkeys(find_run(name, runs) for name in names)), []
    stored = find_runs(runs)
    if not stored.runs and not stored.unreadable:
        raise UsageError(f"There is no run in {runs}.")
    return list(stored.runs), [AsdbenchError(line) for line in stored.unreadable]


def _command(verb: str, board_dir: Path) -> str:
    return command(f"leaderboard {verb}", board_dir=None if board_dir == DEFAULT else board_dir)


def _reporting(quiet: bool) -> Callable[[str], None]:
    """Says which board is being made."""
    return lambda name: None if quiet else echo(f"{name} ...", dim=True, err=True)


def _print_problems(problems: Sequence[object]) -> None:
    for problem in problems:
        echo(f"asdbench: {problem}", fg="red", err=True)
