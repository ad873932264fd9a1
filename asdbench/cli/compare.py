"""``asdbench compare``: which systems are better, by how much, and how sure is that?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.numbers import REPLICATES, Number, Whole
from asdbench.cli.options import AsJson
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.leaderboard.run_groups import RunGroup

WORSE = 1
PAIR = 2
FIGURES = (".svg", ".png", ".pdf")
QUIET_BELOW = 10  # runs, about a second each


def compare(
    names: Annotated[
        list[str],
        typer.Argument(metavar="A B [C ...]", help="Runs or systems, see above."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the runs' folders lie.")] = Path("runs"),
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", metavar="NAME", help="Only runs on this data set. [default: all that they share]"),
    ] = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option("--ground-truth", metavar="DIR|FILE", help="Labels, where the clips' names do not tell them."),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop",
            metavar="POINTS",
            click_type=Number(min=0, max=100),
            help="Exit code 1 when B is lower by more, or incomplete.",
        ),
    ] = None,
    alpha: Annotated[
        float,
        typer.Option(
            "--alpha",
            metavar="LEVEL",
            click_type=Number(),
            help="Of the Nemenyi test, with three or more: its chance of error.",
        ),
    ] = 0.05,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE.svg|png|pdf", help="Draw the critical-difference diagram there."),
    ] = None,
    replicates: Annotated[
        int, typer.Option(click_type=Whole(min=100, max=REPLICATES), help="Resampled test sets.")
    ] = 10_000,
    as_json: AsJson = False,
) -> None:
    """Compare runs or systems on the same test clips, with a paired bootstrap.

    Two: the difference by machine type and in total; with --max-drop a gate for changes. Three or more: ranks, shared
    where no difference is significant, and average ranks over machine types with the tests of Friedman and Nemenyi.
    All are scored on every resampled test set, so chance that they share cancels; of several seeds the choice of
    seeds is resampled too.

    A name is a run (its id, the beginning of one, or its folder) or a system, all seeds of which count: its card's
    name, or extractor+scorer. DIR/NAME looks for it in another folder than --out.
    """
    import json

    from asdbench.cli.comparisons import contest_as_json, pair_as_json, print_contest, print_pair
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.leaderboard.comparison import compare_on, ranks_over_machines, shared_datasets
    from asdbench.leaderboard.run_groups import find_run_group, missing_runs

    _require_sense(names, max_drop, alpha, figure)
    groups = [find_run_group(name, out, dataset) for name in names]
    datasets = shared_datasets(groups)
    _tell_left_out(groups, datasets)
    progress = ConsoleProgress(quiet=sum(len(one.runs[name]) for one in groups for name in datasets) < QUIET_BELOW)
    comparisons = []
    for name in datasets:
        labelled = all(run.record.results is not None for one in groups for run in one.runs[name])
        truth = None if labelled and len(datasets) > 1 else ground_truth  # it is of one data set, of those without
        comparisons.append(compare_on(name, groups, truth, replicates, progress))
    if len(groups) == PAIR:
        incomplete = missing_runs(*groups)
        content = pair_as_json(comparisons, max_drop, incomplete)
        print_json(json.dumps(content, indent=2)) if as_json else print_pair(groups, comparisons, max_drop)
        if max_drop is not None and incomplete:
            lines = "".join(f"\n  {line}" for line in incomplete)
            echo(f"B ({names[1]}) is incomplete, so it does not pass:{lines}", fg="red", err=True)
            raise typer.Exit(WORSE)
        if content["dropped"]:
            raise typer.Exit(WORSE)
        return
    ranks = ranks_over_machines(comparisons, alpha)
    if figure is not None:
        from asdbench.leaderboard.critical_difference import save_critical_difference

        save_critical_difference(ranks, figure)
    if as_json:
        print_json(json.dumps(contest_as_json(comparisons, ranks), indent=2))
    else:
        print_contest(comparisons, ranks)
        if figure is not None:
            echo(f"Drawn: {figure}")


def _require_sense(names: list[str], max_drop: float | None, alpha: float, figure: Path | None) -> None:
    from asdbench.core.errors import UsageError
    from asdbench.core.files import require_writable

    if len(names) < PAIR:
        raise UsageError(
            f"compare needs two names or more: asdbench compare {names[0]} OTHER\n"
            "Runs and their scores: asdbench runs list; one of them: asdbench runs show RUN"
        )
    if len(names) > PAIR:
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise UsageError(f"{doubled} is named twice; among three or more each has one place.")
        if max_drop is not None:
            raise UsageError(
                "--max-drop asks whether B is worse than A, so it takes two names; "
                f"here are {len(names)}. Give it once for each pair that matters."
            )
    if not 0 < alpha < 1:
        raise UsageError(f"--alpha {alpha:g}: accepted is what lies between 0 and 1, 0.05 for instance.")
    if figure is not None:
        if len(names) == PAIR:
            raise UsageError("--figure draws average ranks, which need three names or more; here are two.")
        if figure.suffix.lower() not in FIGURES:
            raise UsageError(f"--figure {figure}: the ending decides the form; accepted are {', '.join(FIGURES)}.")
        require_writable(figure.expanduser().parent, f"--figure DIR/{figure.name}")


def _tell_left_out(groups: "list[RunGroup]", datasets: list[str]) -> None:
    from asdbench.leaderboard.run_groups import reason_of

    failed = {run.folder: run.record for one in groups for run in one.failed}
    for folder, record in failed.items():
        _warn(f"warning: {folder.name} failed and is left out: {reason_of(record)}")
    unreadable = {folder: reason for one in groups for folder, reason in one.unreadable.items()}
    for folder, reason in unreadable.items():
        asked = dict.fromkeys(one.asked for one in groups if folder in one.unreadable)
        _warn(f"warning: {reason} It may be one of {' or '.join(asked)}.")
    others = sorted({name for one in groups for name in one.runs if name not in datasets})
    if others:
        _warn(f"note: not compared on {', '.join(others)}, where not all of them have runs")


def _warn(text: str) -> None:
    echo(text, fg="yellow", err=True)
