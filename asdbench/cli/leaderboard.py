"""``asdbench leaderboard``: put runs and score files on boards, render them, compare the pages with their records."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from asdbench.cli import options as opt
from asdbench.cli.output import begin, echo, print_json
from asdbench.core.commands import command
from asdbench.core.errors import AsdbenchError, DiskFullError, UsageError
from asdbench.core.paths import expand_user

app = opt.group("Put runs on leaderboards and render them.")
BoardDir = Annotated[Path, opt.option("DIR", "Holds results/, references/ and the rendered pages.")]
DEFAULT = Path("leaderboards")
OF_SCORES = "Of SCORES, score files of anybody"
OUTCOMES = {"added": "added", "unchanged": "there already, and equal", "replaced": "replaced"}


@app.command()
def add(
    run: Annotated[
        list[str] | None,
        opt.argument("[RUN|SCORES]...", "Runs: latest, ids, systems, folders; or folders of score files.", opt.RUN),
    ] = None,
    system: Annotated[
        str | None, opt.option("NAME", "Their system; says that they are score files.", panel=OF_SCORES)
    ] = None,
    source: Annotated[str | None, opt.option("ADDRESS", "Where they are from.", panel=OF_SCORES)] = None,
    dataset: Annotated[
        str | None, opt.option("dcase2025|...", "The challenge.", opt.Named("datasets"), panel=OF_SCORES)
    ] = None,
    split: opt.Split = None,
    seed: Annotated[
        int | None, opt.option("N", "Seeds of one system share a row. [default: 0]", opt.Whole(min=0), panel=OF_SCORES)
    ] = None,
    params: Annotated[
        int | None, opt.option("N", "The network's parameters.", opt.Whole(min=0), panel=OF_SCORES)
    ] = None,
    macs: Annotated[
        int | None, opt.option("N", "Multiply-accumulates for a clip.", opt.Whole(min=0), panel=OF_SCORES)
    ] = None,
    note: Annotated[str | None, opt.option("TEXT", "Authors and licence, for instance.", panel=OF_SCORES)] = None,
    every: Annotated[bool, opt.flag("--all", "Every run in the folder of runs.")] = False,
    out: opt.Out = opt.RUNS,
    board_dir: BoardDir = DEFAULT,
    ground_truth: opt.GroundTruth = None,
    replace: Annotated[bool, opt.flag("--replace", "Take the place of an entry that differs.")] = False,
    as_json: opt.AsJson = False,
) -> None:
    """Put runs on the leaderboard: their records and scores, one file each in results/.

    Anybody's score files too: asdbench leaderboard add SCORES --system NAME --source ADDRESS --dataset dcase2025. They
    have to be complete; a system.toml beside them may hold the same (system, source, dataset, split, seed, params,
    macs, note), and then no option is needed.

    What is there already and equal is left as it is. The pages follow with: asdbench leaderboard render

    Example: asdbench leaderboard add latest
    """
    import functools

    from asdbench.harness.evaluating import truth_for
    from asdbench.harness.record import load_record
    from asdbench.leaderboard import BoardDirError, add_run, read_entries
    from asdbench.leaderboard.submitted import add_scores, facts_of
    from asdbench.registry import load_catalog

    facts = {"system": system, "source": source, "dataset": dataset, "split": split, "seed": seed, "params": params}
    facts |= {"macs": macs, "note": note}
    names = run or []
    submitted = _submitted(names, facts)
    folders, failed = _folders([name for name in names if name not in submitted], every, out, bool(submitted))
    folders = [*submitted.values(), *folders]
    truth_of = functools.cache(truth_for)
    others = read_entries(board_dir).entries if board_dir.is_dir() else {}
    done = []
    for folder in folders:
        try:
            if folder in submitted.values():
                known = facts_of(folder, facts)
                truth = truth_of(ground_truth, known.dataset)
                added = add_scores(folder, board_dir, known, load_catalog(), truth, replace=replace, others=others)
            else:
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
        echo(f"Next: {command('leaderboard render', board_dir=board_dir)}", err=as_json)
    if failed:
        raise typer.Exit(1 if done else max(error.exit_code for error in failed))


@app.command()
def render(
    board_dir: BoardDir = DEFAULT,
    board: Annotated[
        str | None, opt.option("NAME", "Only this one, and not what all boards say together.", opt.Named("boards"))
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Render every board as Markdown and as one self-contained HTML page, and the index of all.

    The pages hold what the records in results/ and references/ give and nothing else: the same records, the same bytes.

    Example: asdbench leaderboard render
    """
    from asdbench.leaderboard import make_pages
    from asdbench.leaderboard import render as write_pages

    done = write_pages(board_dir, make_pages(board_dir, board, on_board=partial(begin, quiet=quiet)))
    if not quiet:
        for name in done.written:
            echo(f"written: {board_dir / name}")
        for name in done.removed:
            echo(f"removed, of no board any more: {board_dir / name}")
        echo(f"{len(done.written)} pages written, {len(done.unchanged)} unchanged, {len(done.removed)} removed")
    _print_problems(done.problems)
    if done.problems:
        raise typer.Exit(1)


@app.command()
def check(board_dir: BoardDir = DEFAULT, quiet: opt.Quiet = False) -> None:
    """Exit with 1 when a page is missing, stale, or not what its records give; changes nothing.

    Example: asdbench leaderboard check
    """
    from asdbench.leaderboard import check as compare_pages
    from asdbench.leaderboard import make_pages

    pages = make_pages(board_dir, on_board=partial(begin, quiet=quiet))
    problems = compare_pages(board_dir, pages)
    if len(problems) > len(pages.problems):
        problems.append(f"Render them: {command('leaderboard render', board_dir=board_dir)}")
    _print_problems(problems)
    if problems:
        raise typer.Exit(1)
    echo(f"{len(pages.texts)} pages in {board_dir} match their records")


def _submitted(names: Sequence[str], facts: dict[str, Any]) -> dict[str, Path]:
    """The folders of score files among the names: named by --system, or with a system.toml in them."""
    from asdbench.leaderboard.submitted import is_submission

    system, given = facts["system"], [name for name, value in facts.items() if value is not None]
    if system is not None and len(names) != 1:
        raise UsageError(f"--system {system} takes one folder of score files.\nSeveral: a system.toml in each of them.")
    folders = {name: expand_user(name) for name in names}
    submitted = {name: folder for name, folder in folders.items() if system is not None or is_submission(folder)}
    if given and (len(submitted) < len(folders) or not submitted):
        run = next((name for name in names if name not in submitted), "--all")
        raise UsageError(
            f"--{given[0]} is of score files, and {run} is taken for a run.\n"
            "Score files: asdbench leaderboard add SCORES --system NAME --source ADDRESS --dataset dcase2025"
        )
    return submitted


def _folders(names: list[str], every: bool, runs: Path, others: bool) -> tuple[list[Path], list[AsdbenchError]]:
    """The runs that are meant, and what is wrong with those that cannot be read; ``others``: score files are meant."""
    from asdbench.harness.run_names import named_runs
    from asdbench.harness.store import find_runs

    if others and not every and not names:
        return [], []
    if every == bool(names):
        raise UsageError("Name the runs to add, or --all for every run in the folder of --out.")
    if not every:
        return list(dict.fromkeys(folder for name in names for folder in named_runs(name, runs))), []
    stored = find_runs(runs)
    if not stored.runs and not stored.unreadable:
        raise UsageError(f"There is no run in {runs}.")
    return list(stored.runs), [AsdbenchError(line) for line in stored.unreadable]


def _print_problems(problems: Sequence[object]) -> None:
    for problem in problems:
        echo(f"asdbench: {problem}", fg="red", err=True)
