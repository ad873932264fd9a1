"""``asdbench run``: the main job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli import options as opt
from asdbench.cli.output import begin, echo, print_json
from asdbench.core.errors import AsdbenchError

if TYPE_CHECKING:
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.harness import Plan


def run(
    context: typer.Context,
    system: opt.Systems = None,
    extractor: opt.Extractors = None,
    scorer: opt.Scorers = None,
    dataset: opt.Datasets = None,
    split: opt.Split = None,
    data_root: opt.DataRoot = None,
    seed: opt.Seeds = None,
    machine: opt.Machines = None,
    params: opt.Params = None,
    vary: opt.Vary = None,
    profile: opt.Profile = None,
    frontend: opt.Frontend = None,
    augmentation: opt.Augmentations = None,
    config: opt.Config = None,
    threshold: opt.Threshold = None,
    false_alarms: opt.FalseAlarms = None,
    per_domain: opt.PerDomain = False,
    out: Annotated[Path | None, opt.option("DIR", "Where the runs' folders go. [default: runs]")] = None,
    device: opt.Device = None,
    jobs: opt.Processes = None,
    threads: opt.Threads = None,
    engine: opt.Engine = None,
    artifacts: Annotated[
        str | None, opt.option("URL", "With --engine ray, where nodes share no folder: s3://... for files.")
    ] = None,
    gpus_per_task: opt.GpusPerTask = None,
    fresh: Annotated[bool, opt.flag("--fresh", "Fit, embed and score again; features may be cached.")] = False,
    retry_failed: Annotated[bool, opt.flag("--retry-failed", "Do runs again that failed before.")] = False,
    report: Annotated[bool, opt.flag("--report", "Leave report.html in each run's folder.")] = False,
    select: Annotated[
        str | None,
        opt.option(
            "normal-only|domain-balance",
            "Choose one of the runs by training clips alone: how well it separates them from pasted ones, or how "
            "alike it scores both domains.",
        ),
    ] = None,
    veto: Annotated[
        str | None,
        opt.option(
            "DATASET=POINTS",
            "With --select: leave out what scores more than POINTS below the best on DATASET, a development set "
            "among those of the command, whose LABELS are used.",
        ),
    ] = None,
    tracking: opt.Tracking = None,
    dry_run: Annotated[bool, opt.flag("--dry-run", "Only show what is to be done and how long it takes.")] = False,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Train, score and evaluate every system, and every extractor with every scorer, for each seed; end with one table.

    Each run leaves its record, score files and decision files in its own folder. The same command finds what it has
    done before and goes on from there.

    Example: asdbench run --extractor simclr --scorer mahalanobis-ml -p simclr.epochs=20
    """
    begin("Reading cards and recordings", quiet=quiet)
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.cli.run_plan import plan_as_json, print_plan
    from asdbench.cli.run_results import print_results, results_as_json
    from asdbench.harness import execute, make_plan
    from asdbench.harness.estimate import forecast
    from asdbench.harness.experiment import prepare
    from asdbench.harness.selecting import choose, require_labels_of_development
    from asdbench.harness.spec import read_spec
    from asdbench.tracking.background import tracked

    progress = ConsoleProgress(quiet)
    spec = read_spec(config, opt.given(context))
    if not dry_run:
        prepare(spec)
    plan = make_plan(spec, progress)
    require_labels_of_development(plan)
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
