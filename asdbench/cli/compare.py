"""``asdbench compare``: which systems are better, by how much, and how sure is that?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import RUN, RUNS, AsJson, GroundTruth, Named, Number, Out, Replicates, argument, option
from asdbench.cli.output import begin, echo, print_json, warn
from asdbench.core.errors import UsageError

if TYPE_CHECKING:
    from asdbench.leaderboard.run_groups import RunGroup

FIGURES = (".svg", ".png", ".pdf")
QUIET_BELOW = 10  # runs, about a second each


def compare(
    names: Annotated[list[str], argument("A B [C ...]", "Runs or systems, see above.", RUN)],
    out: Out = RUNS,
    dataset: Annotated[
        str | None, option("NAME", "Only runs on this data set. [default: all that they share]", Named("datasets"))
    ] = None,
    ground_truth: GroundTruth = None,
    max_drop: Annotated[
        float | None, option("POINTS", "Exit 1 when B is lower by more, or incomplete.", Number(min=0, max=100))
    ] = None,
    alpha: Annotated[
        float, option("X", "Of the Nemenyi test.", Number(min=0, max=1, min_open=True, max_open=True))
    ] = 0.05,
    figure: Annotated[Path | None, option("FILE.svg|png|pdf", "Draw the critical-difference diagram there.")] = None,
    replicates: Replicates = 10_000,
    as_json: AsJson = False,
) -> None:
    """Compare runs or systems on the same test clips, with a paired bootstrap.

    Two: the difference by machine type and in total; with --max-drop a gate for changes. Three or more: ranks, shared
    where no difference is significant, and average ranks over machine types with the tests of Friedman and Nemenyi.
    All are scored on every resampled test set, so chance that they share cancels; of several seeds the choice of
    seeds is resampled too.

    A name is a system, all seeds of which count (its card's name, or extractor+scorer), or a run: latest, its id or a
    part of it that no other has, or its folder. DIR/NAME looks for it in another folder than --out.

    Example: asdbench compare raw-mel+knn simclr+knn
    """
    begin(f"Reading runs of {', '.join(names)}")
    from asdbench.cli.comparison_results import pair_as_json, print_pair, print_ranking, ranking_as_json
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.leaderboard.comparison import compare_on, ranks_over_machines, shared_datasets
    from asdbench.leaderboard.run_groups import find_run_group, missing_runs

    _require_options(names, max_drop, figure)
    systems = [find_run_group(name, out, dataset) for name in names]
    datasets = shared_datasets(systems)
    _warn_of_omissions(systems, datasets)
    progress = ConsoleProgress(quiet=sum(len(one.runs[name]) for one in systems for name in datasets) < QUIET_BELOW)
    comparisons = []
    for name in datasets:
        labelled = all(run.record.results is not None for one in systems for run in one.runs[name])
        truth = None if labelled and len(datasets) > 1 else ground_truth  # it is of one data set, of those without
        comparisons.append(compare_on(name, systems, truth, replicates, progress))
    if len(names) > 2:
        ranks = ranks_over_machines(comparisons, alpha)
        if figure is not None:
            from asdbench.leaderboard.critical_difference import save_critical_difference

            save_critical_difference(ranks, figure)
        print_json(ranking_as_json(comparisons, ranks)) if as_json else print_ranking(comparisons, ranks)
        if figure is not None:
            echo(f"Drawn: {figure}", err=as_json)
        return
    missing = missing_runs(*systems)
    content = pair_as_json(comparisons, max_drop, missing)
    print_json(content) if as_json else print_pair(systems, comparisons, max_drop)
    if max_drop is not None and missing:
        lines = "".join(f"\n  {line}" for line in missing)
        echo(f"B ({names[1]}) is incomplete, so it does not pass:{lines}", fg="red", err=True)
    if content["dropped"] or (max_drop is not None and missing):
        raise typer.Exit(1)


def _require_options(names: Sequence[str], max_drop: float | None, figure: Path | None) -> None:
    """Refuse options that do not go with the number of names."""
    from asdbench.core.files import require_writable

    if len(names) < 2:
        raise UsageError(
            f"compare needs two names or more: asdbench compare {names[0]} OTHER\n"
            "Runs and their scores: asdbench runs list; one of them: asdbench runs show RUN"
        )
    doubled = [name for name in names if names.count(name) > 1]
    if len(names) > 2 and doubled:
        raise UsageError(f"{doubled[0]} is named twice; among three or more each has one place.")
    if len(names) > 2 and max_drop is not None:
        raise UsageError(
            "--max-drop asks whether B is worse than A, so it takes two names; "
            f"here are {len(names)}. Give it once for each pair that matters."
        )
    if figure is not None:
        if len(names) == 2:
            raise UsageError("--figure draws average ranks, which need three names or more; here are two.")
        if figure.suffix.lower() not in FIGURES:
            raise UsageError(f"--figure {figure}: the ending decides the form; accepted are {', '.join(FIGURES)}.")
        require_writable(figure.parent, f"--figure DIR/{figure.name}")


def _warn_of_omissions(systems: "Sequence[RunGroup]", datasets: Sequence[str]) -> None:
    """Name runs that failed or cannot be read, and data sets that are not shared."""
    from asdbench.leaderboard.run_groups import reason_of

    for folder, record in {run.folder: run.record for one in systems for run in one.failed}.items():
        warn(f"{folder.name} failed and is left out: {reason_of(record)}")
    for folder, reason in {folder: reason for one in systems for folder, reason in one.unreadable.items()}.items():
        asked = dict.fromkeys(one.asked for one in systems if folder in one.unreadable)
        warn(f"{reason} It may be one of {' or '.join(asked)}.")
    others = sorted({name for one in systems for name in one.runs if name not in datasets})
    if others:
        echo(f"note: not compared on {', '.join(others)}, where not all of them have runs", fg="yellow", err=True)
