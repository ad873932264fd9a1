"""``asdbench tune``: the best parameters of a system, by Optuna."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli.numbers import SEEDS, THREADS, Number, Whole
from asdbench.cli.options import (
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
from asdbench.cli.output import print_json
from asdbench.cli.tracking import Tracking

if TYPE_CHECKING:
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.tuning.record import StudyRecord
    from asdbench.tuning.study import Tuning


def tune(
    system: Annotated[
        list[str] | None,
        typer.Option("--system", metavar="NAME", help="Published system; of several one is chosen."),
    ] = None,
    extractor: Annotated[
        list[str] | None,
        typer.Option("--extractor", metavar="NAME", help="Feature extractor; of several one is chosen."),
    ] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option("--scorer", metavar="NAME", help="Anomaly scorer; of several one is chosen."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            "-n",
            click_type=Whole(min=1, max=10**9),
            help="Trials that the study is to have. [default: 50; all of a grid]",
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            metavar="NAME|DIR",
            help="A card's name, or a folder with <machine>/train and <machine>/test. [default: synthetic]",
        ),
    ] = None,
    split: Split = None,
    data_root: DataRoot = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            "--seed",
            click_type=Whole(min=0, max=SEEDS),
            help="Base seed; of several, the mean score counts. [default: 0]",
        ),
    ] = None,
    machine: Machine = None,
    params: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="COMPONENT.PARAM=VALUE", help="Set a parameter, which is not tuned then."),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--space",
            metavar="COMPONENT.PARAM=SPACE",
            help="Tune it over LOW:HIGH, LOW:HIGH:log, LOW:HIGH:STEP or A,B,C in place of what its card says.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="COMPONENT[.PARAM]", help="Tune nothing but this; may be repeated."),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="tpe|random|grid|cmaes|nsga2|nsga3|qmc|gp [default: tpe]"),
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Every combination of the choices.")] = False,
    pruner: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which trials are given up: median|halving|hyperband|none [default: median]"),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="NAME",
            help="score, and as second ones seconds or parameters, for the best of every size. [default: score]",
        ),
    ] = None,
    per_machine: Annotated[
        bool,
        typer.Option("--per-machine", help="A study for each machine type, which is not admissible under first-shot."),
    ] = False,
    storage: Annotated[
        str,
        typer.Option(metavar="URL", help="sqlite:///FILE, journal:FILE or postgresql://...; workers may share one."),
    ] = "sqlite:///optuna.db",
    study: Annotated[str | None, typer.Option(metavar="NAME", help="[default: named after what it is]")] = None,
    sampler_seed: Annotated[
        int, typer.Option(click_type=Whole(min=0, max=2**32 - 1), help="Seed of what the sampler draws.")
    ] = 0,
    timeout: Annotated[
        float | None, typer.Option(click_type=Number(min=0), metavar="SECONDS", help="Begin no trial after this.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            click_type=Whole(min=0, max=THREADS),
            help="Trials done at a time, in processes; 0: as many as cores. [default: 1, with --engine ray 0]",
        ),
    ] = None,
    threads: Threads = None,
    engine: Engine = None,
    gpus_per_task: GpusPerTask = None,
    profile: Profile = None,
    frontend: Frontend = None,
    augmentation: Augmentation = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Run file (TOML) to start from; the command line wins."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Studies go to DIR/studies. [default: runs]")] = None,
    device: Device = None,
    tracking: Tracking = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    plugin_path: PluginPath = None,
) -> None:
    """Find the best parameters of a system: one configuration for all machine types, by their official score.

    What is tuned, and over what, stands in the cards (asdbench show NAME); -p fixes a parameter, --space changes what
    it is tuned over. Finished trials are kept: the same command goes on, and several at once work on one study.
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.cli.tuning_results import print_studies, studies_as_json
    from asdbench.harness.experiment import prepare
    from asdbench.harness.spec import read_spec
    from asdbench.tuning.methods import read_objectives
    from asdbench.tuning.study import TuneSpec

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
        "gpus_per_task": gpus_per_task,
        "tracking": tracking,
        "plugin_path": plugin_path or None,
    }
    progress = ConsoleProgress(quiet)
    run = read_spec(config, given)
    prepare(run, ("asdbench.tuning.tasks",))
    asked = TuneSpec(
        run=run,
        spaces=space or [],
        only=only or [],
        trials=trials,
        objectives=read_objectives(objective or ["score"]),
        sampler=_sampler(sampler, grid),
        pruner=pruner,
        sampler_seed=sampler_seed,
        storage=storage,
        study=study,
        per_machine=per_machine,
    )
    tunings = _tunings(asked, progress)
    records = [_tune(tuning, timeout, progress) for tuning in tunings]
    if as_json:
        print_json(studies_as_json(records, run.out))
    else:
        print_studies(records, tunings)
    if any(record.best is None for record in records):
        raise typer.Exit(1)


def _sampler(name: str | None, grid: bool) -> str:
    from asdbench.core.errors import UsageError

    if grid and name not in (None, "grid"):
        raise UsageError(f"--grid and --sampler {name}: a grid draws nothing. Leave one out.")
    return "grid" if grid else name or "tpe"


def _tunings(asked: Any, progress: "ConsoleProgress") -> "list[Tuning]":
    """One study; with ``--per-machine`` one for each machine type."""
    from dataclasses import replace

    from asdbench.tuning.study import Tuning

    if not asked.per_machine:
        return [Tuning(asked, progress)]
    whole = Tuning(replace(asked, per_machine=False), progress)
    return [
        Tuning(replace(asked, run=asked.run.model_copy(update={"machine": [machine]})), progress)
        for machine in whole.machines
    ]


def _tune(tuning: "Tuning", timeout: float | None, progress: "ConsoleProgress") -> "StudyRecord":
    """Do one study, and say how it gets on."""
    from asdbench.cli.tracking import tracked
    from asdbench.cli.tuning_progress import Bars, TrialLines
    from asdbench.tuning.trials import tune as do

    with tracked(tuning.spec, [tuning.folder], progress, new=True), TrialLines(tuning, progress) as report:
        return do(tuning, report, Bars(progress), timeout=timeout)
