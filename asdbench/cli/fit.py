"""``asdbench fit``: from healthy recordings, or from a run, to a detector."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from asdbench.cli import options as opt
from asdbench.cli.output import begin, echo, print_json
from asdbench.core.commands import command
from asdbench.core.errors import UsageError

if TYPE_CHECKING:
    from asdbench.detector.detector import Detector


def fit(
    recordings: Annotated[
        str | None,
        opt.argument(
            "RECORDINGS", "Healthy recordings: a folder, a table, a card's name.", opt.Named("datasets", "files")
        ),
    ] = None,
    to: Annotated[Path, opt.option("FILE.asd", "The file to write.")] = Path("detector.asd"),
    from_: Annotated[
        str | None, opt.option("RUN", "Take what a run has fitted, in place of recordings.", opt.RUN, "--from")
    ] = None,
    extractor: Annotated[str | None, opt.option("NAME", "Feature extractor.", opt.Named("extractors"))] = None,
    scorer: Annotated[
        str | None, opt.option("NAME", "Scorer, also pyod:NAME or sklearn:NAME.", opt.Named("scorers"))
    ] = None,
    system: Annotated[
        str | None, opt.option("NAME", "Published system, in place of the two.", opt.Named("systems"))
    ] = None,
    false_alarms: opt.FalseAlarms = None,
    threshold: opt.Threshold = None,
    per_domain: opt.PerDomain = False,
    held_out: Annotated[
        int,
        opt.option(
            "N",
            "Of an extractor that is trained: further trainings on part of the clips, which score the others for "
            "the threshold; 0 is quicker, and alarms more often than asked for.",
            opt.Whole(min=0, max=1000),
        ),
    ] = 5,
    machine: opt.Machines = None,
    split: opt.Split = None,
    data_root: opt.DataRoot = None,
    seed: Annotated[int, opt.option("N", "Base seed.", opt.SEED)] = 0,
    params: opt.Params = None,
    profile: opt.Profile = None,
    frontend: opt.Frontend = None,
    augmentation: opt.Augmentations = None,
    device: opt.Device = None,
    threads: opt.Threads = None,
    out: Annotated[Path, opt.option("DIR", "Where the runs' folders lie, for --from.")] = opt.RUNS,
    force: Annotated[bool, opt.flag("--force", "Replace a detector that is there.")] = False,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Fit a system to healthy recordings, set a threshold, and write a detector: one file that scores new recordings.

    Example: asdbench fit recordings/pump --extractor raw-mel --scorer mahalanobis-lw --false-alarms 0.01 --to pump.asd
    """
    import asdbench
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.core.files import require_writable
    from asdbench.harness.spec import read_spec
    from asdbench.protocols.threshold import ThresholdRule

    if (recordings is None) == (from_ is None):
        raise UsageError("Give recordings or --from RUN: asdbench fit recordings/pump --extractor raw-mel --scorer knn")
    if from_ is None and system is not None and (extractor or scorer):
        raise UsageError("--system is an extractor and a scorer of its own; give one or the other.")
    missing = "" if system or from_ else "--extractor" if extractor is None else "--scorer" if scorer is None else ""
    if missing:
        raise UsageError(
            f"{missing} is missing: asdbench fit {recordings} --extractor raw-mel --scorer mahalanobis-lw --to {to}\n"
            f"See: asdbench list {missing[2:]}s"
        )
    if to.is_dir():
        raise UsageError(f"--to {to} is a folder; a detector is one file: --to {to / 'detector.asd'}")
    if to.exists() and not force:
        raise UsageError(f"--to {to}: it is there already, and nothing is replaced. Another name, or --force.")
    require_writable(to.parent, "--to FILE.asd")
    progress, folders = ConsoleProgress(quiet), plugin_path or []
    begin(f"Fitting {system or f'{extractor} + {scorer}' if from_ is None else from_}", quiet=quiet)
    if from_ is not None:
        from asdbench.detector.fitting import fit_run
        from asdbench.harness.record import load_record
        from asdbench.harness.run_names import find_run

        if extractor or scorer or system or params or machine:
            raise UsageError("--from RUN takes the components and recordings of the run; leave out what names others.")
        asked = threshold is not None or false_alarms is not None
        rule = ThresholdRule.asked(threshold, false_alarms, per_domain) if asked else None
        record = load_record(find_run(from_, out))
        detector = fit_run(record, rule, held_out=held_out, data_root=data_root, plugin_path=folders, progress=progress)
    else:
        spec = read_spec(None, {"params": params or [], "device": device, "profile": profile, "threads": threads})
        detector = asdbench.fit(
            str(recordings),
            extractor,
            scorer,
            system=system,
            false_alarms=false_alarms,
            threshold=threshold,
            per_domain=per_domain,
            held_out=held_out,
            augmentations=augmentation,
            frontend=frontend,
            params=spec.params,
            seed=seed,
            machines=machine or (),
            split=split,  # type: ignore[arg-type]
            data_root=data_root,
            profile=spec.profile,
            device=spec.device,
            threads=spec.threads,
            plugin_path=folders,
            progress=progress,
        )
    detector.save(to)
    print_json(_as_json(detector, to)) if as_json else _print(detector, to, recordings)


def _as_json(detector: "Detector", path: Path) -> dict[str, object]:
    content = detector.content
    return {
        "detector": str(path),
        "name": content.name,
        "dataset": content.dataset,
        "notes": detector.notes,
        "machines": {
            name: {
                "clips": machine.clips,
                "clip_s": machine.clip_s,
                "thresholds": {section: used.model_dump() for section, used in machine.thresholds.items()},
            }
            for name, machine in content.machines.items()
        },
    }


def _print(detector: "Detector", path: Path, recordings: str | None) -> None:
    for note in detector.notes:
        echo(f"note: {note}", dim=True, err=True)
    for name, machine in sorted(detector.content.machines.items()):
        for section, used in sorted(machine.thresholds.items()):
            where = f"{name}, section {section}" if len(machine.thresholds) > 1 else name
            echo(f"{where}: {machine.clips} healthy clips; threshold {used.value:.6g} ({used.method})")
    machines = sorted(detector.content.machines)
    if len(machines) > 1:
        # Folders within a folder are taken as machines, which of one machine's recordings by days is not what is meant.
        split = recordings is not None and any(not Path(recordings, name, "train").is_dir() for name in machines)
        hint = " (one machine? put its recordings into train/)" if split and Path(str(recordings)).is_dir() else ""
        echo(f"{len(machines)} machine types: {', '.join(machines)}{hint}")
    echo(f"{path}  {path.stat().st_size / 1e6:.1f} MB", bold=True)
    echo(f"Next: {command('score', str(path), 'RECORDINGS', machine=machines[0] if machines[1:] else None)}", dim=True)
