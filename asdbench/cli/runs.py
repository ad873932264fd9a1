"""``asdbench runs``: find, show and export what was run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli.options import RUNS, AsJson, Named, Out, RunName, argument, group, option
from asdbench.cli.output import echo, print_json, warn
from asdbench.core.commands import command
from asdbench.core.errors import UsageError
from asdbench.core.texts import value_text

if TYPE_CHECKING:
    from asdbench.harness.record import RunRecord
    from asdbench.harness.store import Stored

app = group("Find, show and export runs.")
Dataset = Annotated[str | None, option("NAME", "Only runs on this data set.", Named("datasets"))]
System = Annotated[
    str | None, option("NAME", "Only this system, extractor or scorer.", Named("systems", "extractors", "scorers"))
]
Status = Annotated[str | None, option("done|failed", "Only runs of this status.")]
SCORES = ("auc_source", "auc_target", "auc", "pauc", "f1", "official_score")


@app.command("list")
def list_(
    out: Out = RUNS,
    dataset: Dataset = None,
    system: System = None,
    status: Status = None,
    as_json: AsJson = False,
) -> None:
    """List runs, best first within each data set.

    Example: asdbench runs list --dataset synthetic
    """
    from asdbench.harness.learned import mark_of
    from asdbench.harness.store import result_rows

    stored = _stored(out, dataset, system, status)
    if as_json:
        rows = [list(result_rows(record))[-1] for record in stored.runs.values()]
        print_json({"runs": rows, "unreadable": stored.unreadable})
    elif not stored.runs:
        echo(f"No run in {out}{' is of that kind' if dataset or system or status else ''}.", err=True)
        for study in sorted(out.glob("studies/*/runs")):
            echo(f"Those of the study {study.parent.name}: {command('runs list', out=study)}", err=True)
    else:
        from asdbench.cli.tables import print_widest, table, width
        from asdbench.core.texts import percent
        from asdbench.harness.run_names import short_names

        ranked = sorted(stored.runs.values(), key=lambda one: (one.dataset.name, -_score(one), one.run_id))
        lines = [
            [
                one.dataset.name,
                one.name,
                one.asked.seed,
                percent(_score(one)) if one.results else "-",
                ", ".join(filter(None, [one.status, "partial" if one.dataset.lacks else "", mark_of(one)])),
                one.finished_at[:16],
                one.run_id,
            ]
            for one in ranked
        ]
        columns = ["data set", "system", ">seed", ">score", "status", "finished", "run"]
        short = short_names([one.run_id for one in ranked])
        narrow = [[*line[:-2], short[one.run_id]] for line, one in zip(lines, ranked, strict=True)]
        wide = table(columns, lines)
        if print_widest(wide, table([*columns[:-2], "run"], narrow)) is not wide:
            echo("Ids are cut to the end, which names a run as well.", dim=True)
            echo(f"Whole ids, and when runs ended, need more than {width()} columns, or --json.", dim=True)
    _end(stored)


@app.command()
def show(run: RunName, out: Out = RUNS, as_json: AsJson = False) -> None:
    """Show one run: what was asked, what came out, how long it took, what failed.

    Example: asdbench runs show latest
    """
    import json

    from asdbench.harness.record import load_record
    from asdbench.harness.run_names import find_run

    folder = find_run(run, out)
    record = load_record(folder)
    print_json(json.loads(record.model_dump_json())) if as_json else _print_run(folder, record)


@app.command()
def export(
    file: Annotated[Path, argument("FILE", "Table to write: .csv or .parquet.")],
    out: Out = RUNS,
    dataset: Dataset = None,
    system: System = None,
    status: Status = None,
) -> None:
    """Write a table with a row for each run and machine type, and one for the whole of each run ("all").

    Example: asdbench runs export runs.csv
    """
    import pandas as pd

    from asdbench.core.files import whole_file
    from asdbench.harness.store import result_rows

    if file.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{file}: the ending decides the form; accepted are .csv and .parquet.")
    stored = _stored(out, dataset, system, status)
    table = pd.DataFrame([row for record in stored.runs.values() for row in result_rows(record)])
    with whole_file(file) as opened:
        table.to_csv(opened, index=False) if file.suffix == ".csv" else table.to_parquet(opened, index=False)
    echo(f"{file}: {len(table)} rows of {len(stored.runs)} runs")
    _end(stored)


def _stored(out: Path, dataset: str | None, system: str | None, status: str | None) -> "Stored":
    """The runs of a folder that the options leave."""
    from asdbench.harness.store import Stored, find_runs

    if status not in (None, "done", "failed"):
        raise UsageError(f"--status {status}: accepted are done and failed.")
    stored = find_runs(out)
    runs = {
        folder: one
        for folder, one in stored.runs.items()
        if dataset in (None, one.dataset.name)
        and system in (None, one.name, one.extractor.name, one.scorer.name)
        and status in (None, one.status)
    }
    return Stored(runs, stored.damaged)


def _score(record: "RunRecord") -> float:
    return record.results.official_score if record.results else -1.0


def _end(stored: "Stored") -> None:
    """Warn of records that cannot be read; exit code 1 where there are any."""
    for line in stored.unreadable:
        warn(line)
    if stored.unreadable:
        raise typer.Exit(1)


def _print_run(folder: Path, record: "RunRecord") -> None:
    """A run for people: scores, what failed, what was used, how long it took."""
    from asdbench.cli.tables import interval, print_learned, print_widest, table, width
    from asdbench.core.texts import percent
    from asdbench.harness.learned import learned
    from asdbench.harness.store import result_rows
    from asdbench.tracking.marks import tracking_lines

    echo(f"{record.name} on {record.dataset.name}, seed {record.asked.seed}", fg="cyan", bold=True)
    echo(f"{folder}: {record.status}, {record.finished_at}", dim=True)
    for line in record.dataset.lacks:
        echo(f"partial: {line}", fg="yellow")
    if record.results is not None:
        results = list(result_rows(record))
        scores = [key for key in SCORES if any(row[key] is not None for row in results)]
        tables = []
        for keys in (scores, [key for key in scores if key not in ("auc", "f1")], ["official_score"]):
            columns = ["machine", *(f">{key.replace('_', ' ')}" for key in keys), ">95 % interval"]
            rows = []
            for row in results:
                ends = interval((row["ci95_low"], row["ci95_high"]))
                rows.append([row["machine"], *(percent(row[key]) for key in keys), ends])
            tables.append(table(columns, rows))
        if print_widest(*tables) is not tables[0]:
            echo(f"AUC over both domains, F1 and the like need more than {width()} columns, or --json.", dim=True)
    print_learned(learned(record))
    for machine in record.dataset.test_clips if len(record.training) > 1 else ():
        print_learned(learned(record, machine=machine), f"  {machine}")
    for failure in record.failures:
        echo(f"failed: {failure}", fg="red")
    for note in record.notes:
        echo(f"note: {note}", fg="yellow")
    took = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in record.seconds.items())
    for line in (*_used_lines(record), *tracking_lines(folder), f"took: {took}"):
        echo(line, dim=True)


def _used_lines(record: "RunRecord") -> Iterator[str]:
    """The components with all their parameters, what of them was asked for by hand, and where it ran."""
    for role, one in record.components:
        yield f"{role} {one.name}, version {one.version}: {_assignments(one.params) or 'no parameters'}"
    profile = f", profile {record.asked.profile}" if record.asked.profile else ""
    yield f"asked by hand: {_assignments(record.asked.params) or 'no parameters'}{profile}"
    machine = record.environment
    threads = "" if machine.threads is None else f", {machine.threads} thread{'' if machine.threads == 1 else 's'}"
    version = f", asdbench {machine.packages['asdbench']}" if "asdbench" in machine.packages else ""
    changed = " with changes" if machine.git_dirty else ""
    commit = f", commit {machine.git_commit[:12]}{changed}" if machine.git_commit else ""
    yield f"ran on {machine.device}{threads}, Python {machine.python}{version}{commit}"


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value_text(value)}" for name, value in values.items())
