"""``asdbench score``: recordings by a detector."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli import options as opt
from asdbench.cli.output import begin, echo, print_json, print_reserved, reserve_stdout
from asdbench.core.errors import UsageError

if TYPE_CHECKING:
    from asdbench.detector.results import Scored, ScoredRecording

ALARM = 4  # exit code


def score(
    detector: opt.DetectorFile,
    recordings: Annotated[
        list[str] | None,
        opt.argument("PATH...", "Recordings, folders of them, or - for names on standard input.", opt.Named("files")),
    ] = None,
    machine: opt.OneMachine = None,
    section: opt.Section = None,
    false_alarms: opt.FalseAlarms = None,
    threshold: opt.Threshold = None,
    window: Annotated[float | None, opt.option("SECONDS", "Score windows of this length.", opt.POSITIVE)] = None,
    hop: Annotated[
        float | None, opt.option("SECONDS", "From one window to the next. [default: the window's length]", opt.POSITIVE)
    ] = None,
    alarm_after: Annotated[
        str, opt.option("K/N", "Alarm when K of N windows in a row lie above the threshold.")
    ] = "1/1",
    explain: Annotated[Path | None, opt.option("FILE.html", "Write a page that says why clips are suspicious.")] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            callback=reserve_stdout,
            is_eager=True,
            help="Score what is added to the folder until stopped: one JSON line each.",
        ),
    ] = False,
    journal: Annotated[
        Path | None, opt.option("FILE", "With --watch, what was scored. [default: DETECTOR.watched.jsonl]")
    ] = None,
    settle: Annotated[
        float, opt.option("SECONDS", "With --watch, how long a file is unchanged before it is read.", opt.Number(min=0))
    ] = 2.0,
    fail_on_alarm: Annotated[
        bool, opt.flag("--fail-on-alarm", f"Exit with {ALARM} when something is anomalous.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", callback=reserve_stdout, is_eager=True, help="CSV on standard output.")
    ] = False,
    as_json: opt.AsJson = False,
    device: opt.Device = None,
    quiet: opt.Quiet = False,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Score recordings: how anomalous each is, whether that is an alarm, and how unusual among the healthy clips.

    A recording that cannot be scored is a row with the reason, and the exit code is then 1.

    Example: asdbench score pump.asd tomorrow/ --explain why.html
    """
    if not recordings:
        raise UsageError(
            f"Nothing to score. Give files, folders, or - for standard input: asdbench score {detector} PATH..."
        )
    if as_csv and as_json:
        raise UsageError("--csv and --json: one of them.")
    begin(f"Opening {detector}", quiet=quiet)
    from asdbench.detector.scoring import open_detector

    model = open_detector(detector, plugin_path=plugin_path or (), device=device or "auto")
    score = partial(
        model.score,
        machine=machine,
        section=section,
        false_alarms=false_alarms,
        threshold=threshold,
        window_s=window,
        hop_s=hop,
        alarm_after=alarm_after,
    )
    if watch:
        if len(recordings) != 1 or explain is not None or as_csv:
            raise UsageError("--watch takes one folder, and writes JSON lines: no --csv, no --explain.")
        _watch(score, detector, Path(recordings[0]), journal, settle, fail_on_alarm)
        return
    if explain is not None:
        from asdbench.detector.explanation_page import require_explanations, write_explanations

        require_explanations(model, explain)
    scored = score(recordings)
    if explain is not None:
        shown = write_explanations(model, scored, explain, machine, section, window, hop)
    if as_json:
        print_json({"detector": str(detector), "name": model.name, **scored.to_json()})
    else:
        _print_csv(scored) if as_csv else _print(scored)
    for note in () if quiet else scored.notes:
        echo(f"note: {note}", dim=True, err=True)
    if explain is not None:
        echo(f"{explain}: {shown} explained", err=as_json or as_csv)
    if fail_on_alarm and scored.decisions.any():
        raise typer.Exit(ALARM)
    if scored.errors:
        raise typer.Exit(1)


def _print(scored: "Scored") -> None:
    from asdbench.cli.tables import print_table, table, text

    rows, windowed = [], any(one.windows for one in scored)
    for one in scored:
        path = one.path.replace("\n", "\\n")  # a row of its own for each recording
        if one.error is not None:
            rows.append([path, "", "", text(one.error, "red"), ""])
            continue
        verdict = text("ANOMALOUS", "bold red") if one.anomalous else text("normal", "dim")
        rows.append([path, f"{one.score:.4g}", f"{one.p_value:.3g}", verdict, _when(one)])
    columns = ["recording", ">score", ">p-value", "verdict", *(["above the threshold"] if windowed else [])]
    print_table(table(columns, [row[: len(columns)] for row in rows]))
    alarms, bad = int(scored.decisions.sum()), len(scored.errors)
    summary = f"{alarms} of {len(scored) - bad} anomalous; threshold {scored.threshold:.6g} ({scored.method})"
    echo(summary + (f"; {bad} could not be scored" if bad else ""), bold=True)


def _when(one: "ScoredRecording") -> str:
    """Where the windows begin that lie above the threshold, in seconds."""
    above = [part.start_s for part in one.windows if part.score is not None and part.score > (one.threshold or 0.0)]
    more = f" ... {above[-1]:g}" if len(above) > 4 else ""
    return (
        f"{len(above)} of {len(one.windows)}: {', '.join(f'{start:g}' for start in above[:4])}{more} s" if above else ""
    )


def _print_csv(scored: "Scored") -> None:
    import csv
    import io

    columns, rows = ["path", "score", "threshold", "anomalous", "p_value", "error"], io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(columns)
    for one in scored:
        values = (getattr(one, column) for column in columns)
        writer.writerow(["" if value is None else int(value) if isinstance(value, bool) else value for value in values])
    print_reserved(rows.getvalue())


def _watch(
    score: Any, detector: Path, folder: Path, journal: Path | None, settle_s: float, fail_on_alarm: bool
) -> None:
    from asdbench.core.digests import file_digest
    from asdbench.detector.watching import watch

    journal = journal or detector.with_name(f"{detector.name}.watched.jsonl")
    echo(f"Watching {folder}; results also in {journal}. Ctrl-C ends it.", dim=True, err=True)
    try:
        for line in watch(score, folder.expanduser(), journal, file_digest(detector), settle_s=settle_s):
            print_json(line, indent=None)
            if fail_on_alarm and line.get("anomalous"):
                raise typer.Exit(ALARM)
    except KeyboardInterrupt:
        echo(f"Stopped. The same command goes on: what stands in {journal} is not scored again.", dim=True, err=True)
