"""``asdbench run``: the main job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.numbers import SEEDS, THREADS, Whole
from asdbench.cli.options import (
    Artifacts,
    AsJson,
    Augmentation,
    DataRoot,
    Device,
    Engine,
    Frontend,
    GpusPerTask,
    Machine,
    PluginPath,
    Profile,
    Quiet,
    Split,
    Threads,
)
from asdbench.cli.output import echo, print_json
from asdbench.cli.tracking import Tracking

if TYPE_CHECKING:
    from asdbench.core.progress import Progress
    from asdbench.harness import Plan


def run(
    system: Annotated[
        list[str] | None,
        typer.Option("--system", metavar="NAME", help="Published system, as its card says; may be repeated."),
    ] = None,
    extractor: Annotated[
        list[str] | None,
        typer.Option("--extractor", metavar="NAME", help="Feature extractor; may be repeated."),
    ] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            "--scorer",
            metavar="NAME",
            help="Anomaly scorer, also pyod:NAME or sklearn:NAME; may be repeated.",
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            metavar="NAME|DIR",
            help="A card's name, or a folder with <machine>/train and <machine>/test; may be repeated. "
            "[default: synthetic]",
        ),
    ] = None,
    split: Split = None,
    data_root: DataRoot = None,
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", click_type=Whole(min=0, max=SEEDS), help="Base seed; may be repeated. [default: 0]"),
    ] = None,
    machine: Machine = None,
    params: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            metavar="COMPONENT.PARAM=VALUE",
            help="Set a parameter, e.g. -p extractor.epochs=20; may be repeated.",
        ),
    ] = None,
    profile: Profile = None,
    frontend: Frontend = None,
    augmentation: Augmentation = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Run file (TOML) with the same options; the command line wins."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the runs' folders go. [default: runs]")] = None,
    device: Device = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            click_type=Whole(min=0, max=THREADS),
            help="Fits and runs done at a time, in processes; 0: as many as cores. [default: 1, with --engine ray 0]",
        ),
    ] = None,
    threads: Threads = None,
    engine: Engine = None,
    artifacts: Artifacts = None,
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
            "--select",
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
    """
    from asdbench.cli.plans import plan_as_json, print_plan
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.cli.results import print_results, results_as_json
    from asdbench.cli.tracking import tracked
    from asdbench.harness import execute, make_plan
    from asdbench.harness.estimate import forecast
    from asdbench.harness.experiment import prepare
    from asdbench.harness.selecting import choose
    from asdbench.harness.spec import read_spec

    given = {
        "system": system or None,
        "extractor": extractor or None,
        "scorer": scorer or None,
        "dataset": dataset or None,
        "split": split,
        "data_root": data_root,
        "seed": seed or None,
        "machine": machine or None,
        "params": params or [],
        "profile": profile,
        "frontend": frontend,
        "augmentation": augmentation or None,
        "out": out,
        "device": device,
        "jobs": jobs,
        "threads": threads,
        "engine": engine,
        "artifacts": artifacts,
        "gpus_per_task": gpus_per_task,
        "fresh": fresh or None,
        "retry_failed": retry_failed or None,
        "select": select,
        "tracking": tracking,
        "plugin_path": plugin_path or None,
    }
    progress = ConsoleProgress(quiet)
    spec = read_spec(config, given)
    if not dry_run:
        prepare(spec)
    plan = make_plan(spec, progress)
    if dry_run:
        for warning in plan.warnings:
            progress.note(warning)
        outlook = forecast(plan)
        print_json(plan_as_json(plan, outlook)) if as_json else print_plan(plan, outlook)
        return
    quick = (cell.extractor.name for cell in plan.asked if cell.profile)
    for name in dict.fromkeys(quick) if plan.spec.profile == "auto" else ():
        progress.note(f"{name}: small training set, so the card's quick profile is used; --profile full for all of it.")
    for opened in (one for one in plan.datasets if one.lacks):
        more = f" (and {len(opened.lacks) - 3} more)" if len(opened.lacks) > 3 else ""
        progress.note(f"{opened.name} is partial: {'; '.join(opened.lacks[:3])}{more}. See: asdbench data verify")
    records, without_report = {}, 0
    folders = [plan.spec.out / cell.run_id for cell in plan.cells]
    with tracked(plan.spec, folders, progress, new=plan.spec.fresh):
        for record in execute(plan, progress):
            records[record.run_id] = record
        if report:
            without_report = _write_reports(plan, progress)
    choices = choose(plan, records, progress) if plan.spec.select else []
    if as_json:
        print_json(results_as_json(records, plan, choices))
    else:
        print_results(records, plan, choices)
    if without_report or any(record.status != "done" for record in records.values()):
        raise typer.Exit(1)


def _write_reports(plan: "Plan", progress: "Progress") -> int:
    """A report for each run, also of those that were done before; how many could not be written."""
    from asdbench.core.errors import AsdbenchError
    from asdbench.report import write_report

    spec, failed = plan.spec, 0
    with progress.stage("reports", len(plan.asked)) as stage:
        for cell in plan.asked:
            try:
                write_report(spec.out / cell.run_id, data_root=spec.data_root, plugin_path=spec.plugin_path)
            except AsdbenchError as error:
                failed += 1
                echo(f"no report of {cell.run_id}: {error}", fg="red", err=True)
            stage.advance(1, cell.name)
    return failed
