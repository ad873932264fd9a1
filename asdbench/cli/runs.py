"""``asdbench runs``: find, show and export what was run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import AsJson
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.harness.record import RunRecord
    from asdbench.harness.store import Stored

app = typer.Typer(help="Find, show and export runs.", no_args_is_help=True, suggest_commands=False)
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the runs' folders lie.")]
Dataset = Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="Only runs on this data set.")]
System = Annotated[str | None, typer.Option("--system", metavar="NAME", help="Only this system, extractor or scorer.")]
Status = Annotated[str | None, typer.Option("--status", metavar="done|failed", help="Only runs of this status.")]


@app.command("list")
def list_(
    out: Out = Path("runs"),
    dataset: Dataset = None,
    system: System = None,
    status: Status = None,
    as_json: AsJson = False,
) -> None:
    """List runs, best first within each data set."""
    import json

    from asdbench.harness.learned import mark_of
    from asdbench.harness.store import result_rows

    stored = _picked(out, dataset, system, status)
    if as_json:
        rows = [list(result_rows(record))[-1] for record in stored.runs.values()]
        print_json(json.dumps({"runs": rows, "unreadable": stored.unreadable}, indent=2))
    elif not stored.runs:
        _tell_none(out, bool(dataset or system or status))
    else:
        from rich.table import Table
        from rich.text import Text

        from asdbench.cli.console import print_whole

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("data set", "system", "seed", "score", "status", "finished", "run"):
            table.add_column(column, justify="right" if column in ("seed", "score") else "left")
        order = sorted(stored.runs.values(), key=lambda one: (one.dataset.name, -_score(one), one.run_id))
        for one in order:
            score = f"{100 * _score(one):.2f}" if one.results else "-"
            state = ", ".join(filter(None, [one.status, "partial" if one.dataset.lacks else "", mark_of(one)]))
            cells = (
                one.dataset.name,
                one.name,
                str(one.asked.seed),
                score,
                state,
                one.finished_at[:16],
                one.run_id,
            )
            table.add_row(*map(Text, cells))
        print_whole(table)
    _tell_unreadable(stored)


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, the beginning of one, or a folder.")],
    out: Out = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Show one run: what was asked, what came out, how long it took, what failed."""
    from asdbench.harness.record import load_record
    from asdbench.harness.store import find_run

    folder = find_run(run, out)
    record = load_record(folder)
    if as_json:
        print_json(record.model_dump_json(indent=2))
    else:
        from asdbench.cli.run_details import print_run

        print_run(folder, record)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Table to write: .csv or .parquet.")],
    out: Out = Path("runs"),
    dataset: Dataset = None,
    system: System = None,
    status: Status = None,
) -> None:
    """Write a table with a row for each run and machine type, and one for the whole of each run ("all")."""
    import pandas as pd

    from asdbench.core.errors import UsageError
    from asdbench.core.files import whole_file
    from asdbench.harness.store import result_rows

    if file.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{file}: the ending decides the form; accepted are .csv and .parquet.")
    stored = _picked(out, dataset, system, status)
    table = pd.DataFrame([row for record in stored.runs.values() for row in result_rows(record)])
    with whole_file(file) as opened:
        table.to_csv(opened, index=False) if file.suffix == ".csv" else table.to_parquet(opened, index=False)
    echo(f"{file}: {len(table)} rows of {len(stored.runs)} runs")
    _tell_unreadable(stored)


def _tell_none(out: Path, narrowed: bool) -> None:
    """That there is no run, and where those of studies are."""
    echo(f"No run in {out}{' is of that kind' if narrowed else ''}.", err=True)
    for study in sorted(out.glob("studies/*/runs")):
        echo(f"Those of the study {study.parent.name}: asdbench runs list --out {study}", err=True)


def _picked(out: Path, dataset: str | None, system: str | None, status: str | None) -> "Stored":
    from asdbench.core.errors import UsageError
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


def _tell_unreadable(stored: "Stored") -> None:
    for line in stored.unreadable:
        echo(f"warning: {line}", fg="yellow", err=True)
    if stored.unreadable:
        raise typer.Exit(1)
