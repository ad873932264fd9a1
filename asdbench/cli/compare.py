"""``asdbench compare``: is A better than B, and by how much?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import AsJson

if TYPE_CHECKING:
    from asdbench.harness.record import RunRecord
    from asdbench.protocols import Difference

WORSE = 1


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Run id, the beginning of one, or a folder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="What A is compared with.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the runs' folders lie.")] = Path("runs"),
    ground_truth: Annotated[
        Path | None,
        typer.Option("--ground-truth", metavar="DIR|FILE", help="Labels, where the clips' names do not tell them."),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option("--max-drop", metavar="POINTS", min=0.0, help="Exit code 1 when B's score is lower by more."),
    ] = None,
    replicates: Annotated[int, typer.Option(min=100, help="Resampled test sets.")] = 10_000,
    as_json: AsJson = False,
) -> None:
    """Compare two runs on the same test clips, by machine type and in total, with a paired bootstrap.

    Both are scored on every resampled test set, so chance that they share cancels. The interval is of the test clips,
    not of training: for the spread over seeds compare runs of several seeds.
    """
    import json

    from asdbench.core.errors import UsageError
    from asdbench.harness.record import load_record
    from asdbench.harness.store import find_run, name_of, sections_of
    from asdbench.protocols import paired_differences

    folders = [find_run(name, out) for name in (first, second)]
    records = [load_record(folder) for folder in folders]
    for name, of in (("protocol", [one.dataset.protocol for one in records]), ("data", _data(records))):
        if of[0] != of[1]:
            raise UsageError(f"{first} and {second} are not of the same {name}: {of[0]} and {of[1]}.")
    protocol = records[0].dataset.protocol
    one, two = (sections_of(folder, record, ground_truth) for folder, record in zip(folders, records, strict=True))
    total, machines = paired_differences(protocol, one, two, replicates)
    dropped = max_drop is not None and 100 * total.difference > max_drop
    if as_json:
        content = {
            "a": records[0].run_id,
            "b": records[1].run_id,
            "protocol": protocol,
            "official_score": _as_json(total),
            "machines": {name: _as_json(own) for name, own in machines.items()},
            "dropped": dropped,
        }
        typer.echo(json.dumps(content, indent=2))
    else:
        _print([name_of(record) for record in records], folders, total, machines)
        if dropped:
            typer.secho(f"B is lower than A by more than {max_drop:g} points.", fg="red", bold=True)
    if dropped:
        raise typer.Exit(WORSE)


def _data(records: "list[RunRecord]") -> list[str]:
    return [f"{one.dataset.name} ({one.dataset.fingerprint[:8]})" for one in records]


def _as_json(own: "Difference") -> dict[str, object]:
    return {
        "difference": own.difference,
        "ci95": list(own.ci95),
        "probability_of_being_better": own.probability,
    }


def _print(names: list[str], folders: list[Path], total: "Difference", machines: "dict[str, Difference]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for letter, name, folder in zip("AB", names, folders, strict=True):
        console.print(Text.assemble((f"{letter}  ", "bold"), name, (f"   {folder}", "dim")), soft_wrap=True)
    table = Table(title="A less B, points of the official score", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("machine", "difference", "95 % interval", "A is better"):
        table.add_column(column, justify="left" if column == "machine" else "right")
    for name, own in [*machines.items(), ("all", total)]:
        low, high = own.ci95
        style = "green" if low > 0 else "red" if high < 0 else ""
        cells = (
            f"{100 * own.difference:+.2f}",
            f"{100 * low:+.2f}, {100 * high:+.2f}",
            f"{100 * own.probability:.1f} %",
        )
        table.add_row(name, *cells, style="bold" if name == "all" else style)
    console.print()
    console.print(table)
