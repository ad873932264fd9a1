"""``asdbench tune``: the best parameters of a system, by Optuna."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli import options as opt
from asdbench.cli.output import begin, print_json
from asdbench.core.errors import UsageError

if TYPE_CHECKING:
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.tuning.spec import TuneSpec
    from asdbench.tuning.study import Tuning


def tune(
    context: typer.Context,
    system: opt.Systems = None,
    extractor: opt.Extractors = None,
    scorer: opt.Scorers = None,
    trials: Annotated[
        int | None, opt.option("N", "Of the study. [default: 50; all of a grid]", opt.Whole(min=1), "--trials", "-n")
    ] = None,
    dataset: opt.Datasets = None,
    split: opt.Split = None,
    data_root: opt.DataRoot = None,
    seed: opt.Seeds = None,
    machine: opt.Machines = None,
    params: opt.Params = None,
    space: Annotated[
        list[str] | None,
        opt.option(
            "COMPONENT.PARAM=SPACE",
            "Tune it over LOW:HIGH[:log|:STEP] or A,B,C, not as its card says.",
            opt.Named("params"),
        ),
    ] = None,
    only: Annotated[
        list[str] | None, opt.option("COMPONENT[.PARAM]", "Tune nothing but this; may be repeated.")
    ] = None,
    sampler: Annotated[
        str | None, opt.option("NAME", "tpe|random|grid|cmaes|nsga2|nsga3|qmc|gp [default: tpe]")
    ] = None,
    grid: Annotated[bool, opt.flag("--grid", "Every combination of the choices.")] = False,
    pruner: Annotated[
        str | None, opt.option("NAME", "Which trials are given up: median|halving|hyperband|none [default: median]")
    ] = None,
    objective: Annotated[
        list[str] | None,
        opt.option("NAME", "score; after it seconds or parameters, for a Pareto front. [default: score]"),
    ] = None,
    per_machine: Annotated[
        bool, opt.flag("--per-machine", "A study for each machine type, which is not admissible under first-shot.")
    ] = False,
    storage: Annotated[
        str, opt.option("URL", "sqlite:///FILE, journal:FILE or postgresql://...; workers may share one.")
    ] = "sqlite:///optuna.db",
    study: Annotated[str | None, opt.option("NAME", "[default: named after what it is]")] = None,
    sampler_seed: Annotated[
        int, opt.option("N", "Seed of what the sampler draws.", opt.Whole(min=0, max=2**32 - 1))
    ] = 0,
    timeout: Annotated[float | None, opt.option("SECONDS", "Begin no trial after this.", opt.Number(min=0))] = None,
    jobs: opt.Processes = None,
    threads: opt.Threads = None,
    engine: opt.Engine = None,
    gpus_per_task: opt.GpusPerTask = None,
    profile: opt.Profile = None,
    frontend: opt.Frontend = None,
    augmentation: opt.Augmentations = None,
    config: opt.Config = None,
    out: Annotated[Path | None, opt.option("DIR", "Studies go to DIR/studies. [default: runs]")] = None,
    device: opt.Device = None,
    tracking: opt.Tracking = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Find the best parameters of a system: one configuration for all machine types, by their official score.

    What is tuned, and over what, stands in the cards (asdbench show NAME); -p fixes a parameter, --space changes what
    it is tuned over. Of several systems, extractors or scorers one is chosen; of several seeds the mean score counts.
    Finished trials are stored: the same command goes on, and several at once work on one study.

    Example: asdbench tune --extractor raw-mel --scorer knn --trials 20
    """
    begin("Reading cards and recordings", quiet=quiet)
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.cli.tune_results import TrialBars, TrialLines, print_studies, studies_as_json
    from asdbench.harness.experiment import prepare
    from asdbench.harness.spec import read_spec
    from asdbench.tracking.background import tracked
    from asdbench.tuning.spec import TuneSpec, read_objectives
    from asdbench.tuning.tune import tune as do_trials

    if grid and sampler not in (None, "grid"):
        raise UsageError(f"--grid and --sampler {sampler}: a grid draws nothing. Leave one out.")
    progress = ConsoleProgress(quiet)
    spec = read_spec(config, opt.given(context))
    if spec.vary:
        raise UsageError(f"--config {config}: vary is for asdbench run; what is tuned is named by --space or --only.")
    prepare(spec, ("asdbench.tuning.tasks",))
    asked = TuneSpec(
        run=spec,
        spaces=space or [],
        only=only or [],
        trials=trials,
        objectives=read_objectives(objective or ["score"]),
        sampler="grid" if grid else sampler or "tpe",
        pruner=pruner,
        sampler_seed=sampler_seed,
        storage=storage,
        study=study,
        per_machine=per_machine,
    )
    tunings, records = _tunings(asked, progress), []
    for tuning in tunings:
        with tracked(spec, [tuning.folder], progress, new=True), TrialLines(tuning, progress) as lines:
            records.append(do_trials(tuning, lines, TrialBars(progress), timeout=timeout))
    print_json(studies_as_json(records, spec.out)) if as_json else print_studies(records, tunings)
    if any(record.best is None for record in records):
        raise typer.Exit(1)


def _tunings(asked: "TuneSpec", progress: "ConsoleProgress") -> "list[Tuning]":
    """One study; with ``--per-machine`` one for each machine type."""
    from dataclasses import replace

    from asdbench.tuning.study import Tuning

    if not asked.per_machine:
        return [Tuning(asked, progress)]
    machines = Tuning(replace(asked, per_machine=False), progress).machines
    specs = [asked.run.model_copy(update={"machine": [machine]}) for machine in machines]
    return [Tuning(replace(asked, run=spec), progress) for spec in specs]
