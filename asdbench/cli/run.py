"""``asdbench run``: the main job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import (
    AsJson,
    Augmentations,
    Config,
    DataRoot,
    Datasets,
    Device,
    Engine,
    Extractors,
    Frontend,
    GpusPerTask,
    Machines,
    Params,
    PluginPath,
    Processes,
    Profile,
    Quiet,
    Scorers,
    Seeds,
    Split,
    Systems,
    Threads,
    Tracking,
    given,
)
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.harness import Plan


def run(
    context: typer.Context,
    system: Systems = None,
    extractor: Extractors = None,
    scorer: Scorers = None,
    dataset: Datasets = None,
    split: Split = None,
    data_root: DataRoot = None,
    seed: Seeds = None,
    machine: Machines = None,
    params: Params = None,
    profile: Profile = None,
    frontend: Frontend = None,
    augmentation: Augmentations = None,
    config: Config = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the runs' folders go. [default: runs]")] = None,
    device: Device = None,
    jobs: Processes = None,
    threads: Threads = None,
    engine: Engine = None,
    artifacts: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="With --engine ray, where nodes share no folder: an address (s3://...) for what they hand on.",
        ),
    ] = None,
    gpus_per_task: GpusPerTask = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Fit, embed and score again; only features are taken from the cache.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Do runs again that failed before.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Leave report.html, the pictures of a run, in each run's folder.")
    ] = False,
    select: Annotated[
        str | None,
        typer.Option(
            metavar="normal-only",
            help="Say which of the runs to take, chosen by training clips alone, and what the choice is worth.",
        ),
    ] = None,
    tracking: Tracking = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what is there, what is to be done and how long it takes; and leave.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    plugin_path: PluginPath = None,
) -> None:
    """Train, score and evaluate every system, and every extractor with every scorer, for each seed; end with one table.

    Each run leaves its record, score files and decision files in its own folder. The same command finds what it has
    done before and goes on from there.

    Example: asdbench run --extractor simclr --scorer mahalanobis-ml -p simclr.epochs=20
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.cli.run_plan import plan_as_json, print_plan
    from asdbench.cli.run_results import print_results, results_as_json
    from asdbench.cli.tracking import tracked
    from asdbench.harness import execute, make_plan
    from asdbench.harness.estimate import forecast
    from asdbench.harness.experiment import prepare
    from asdbench.harness.selecting import choose
    from asdbench.harness.spec import read_spec

    progress = ConsoleProgress(quiet)
    spec = read_spec(config, given(context))
    if not dry_run:
        prepare(spec)
    plan = make_plan(spec, progress)
    if dry_run:
        for warning in plan.warnings:
            progress.note(warning)
        outlook = forecast(plan)
        print_json(plan_as_json(plan, outlook)) if as_json else print_plan(plan, outlook)
        return
    _note_defaults(plan, progress)
    records = {}
    folders = [spec.out / cell.run_id for cell in plan.cells]
    with tracked(spec, folders, progress, new=spec.fresh):
        for record in execute(plan, progress):
            records[record.run_id] = record
        all_reported = not report or _write_reports(plan, progress)
    choices = choose(plan, records, progress) if spec.select else []
    print_json(results_as_json(records, plan, choices)) if as_json else print_results(records, plan, choices)
    if not all_reported or any(record.status != "done" for record in records.values()):
        raise typer.Exit(1)


def _note_defaults(plan: "Plan", progress: "ConsoleProgress") -> None:
    """Say where a quick profile was taken, and which data sets are partial."""
    quick = (cell.extractor.name for cell in plan.asked if cell.profile)
    for name in dict.fromkeys(quick) if plan.spec.profile == "auto" else ():
        progress.note(f"{name}: small training set, so the card's quick profile is used; --profile full for all of it.")
    for table in (one for one in plan.datasets if one.lacks):
        more = f" (and {len(table.lacks) - 3} more)" if len(table.lacks) > 3 else ""
        progress.note(f"{table.name} is partial: {'; '.join(table.lacks[:3])}{more}. See: asdbench data verify")


def _write_reports(plan: "Plan", progress: "ConsoleProgress") -> bool:
    """Write a report for each run, also of those that were done before; whether all could be written."""
    from asdbench.core.errors import AsdbenchError
    from asdbench.report import write_report

    spec, written = plan.spec, True
    with progress.stage("reports", len(plan.asked)) as stage:
        for cell in plan.asked:
            try:
                write_report(spec.out / cell.run_id, data_root=spec.data_root, plugin_path=spec.plugin_path)
            except AsdbenchError as error:
                written = False
                echo(f"no report of {cell.run_id}: {error}", fg="red", err=True)
            stage.advance(1, cell.name)
    return written
