"""What ``asdbench runs show`` prints."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from asdbench.cli.console import Console, print_whole
from asdbench.cli.tracking import tracking_lines
from asdbench.harness.learned import learned
from asdbench.harness.record import RunRecord
from asdbench.harness.store import result_rows

SCORES = ("auc_source", "auc_target", "auc", "pauc", "f1", "official_score")


def print_run(folder: Path, record: RunRecord) -> None:
    """A run for people: scores, what failed, what was used, how long it took."""
    console = Console(highlight=False)
    console.print(Text.assemble((record.name, "bold cyan"), f" on {record.dataset.name}, seed {record.asked.seed}"))
    console.print(Text(f"{folder}: {record.status}, {record.finished_at}", "dim"), soft_wrap=True)
    for line in record.dataset.lacks:
        console.print(Text(f"partial: {line}", "yellow"), soft_wrap=True)
    rows = list(result_rows(record))
    if record.results is not None:
        columns = [key for key in SCORES if any(row[key] is not None for row in rows)]
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("machine")
        for column in (*columns, "95 % interval"):
            table.add_column(column.replace("_", " "), justify="right")
        for row in rows:
            values = ["" if row[key] is None else f"{100 * row[key]:.2f}" for key in columns]
            low, high = row["ci95_low"], row["ci95_high"]
            table.add_row(row["machine"], *values, "" if low is None else f"{100 * low:.1f}, {100 * high:.1f}")
        print_whole(table)
    found = learned(record)
    if found is not None:
        console.print(Text(found.text, "yellow" if found.mark else ""), soft_wrap=True)
        for machine in record.dataset.test_clips if len(record.training) > 1 else ():
            own = learned(record, machine=machine)
            if own is not None:
                console.print(Text(f"  {machine}: {own.text}", "yellow" if own.mark else "dim"), soft_wrap=True)
    for failure in record.failures:
        where = f" of {failure.machine}" if failure.machine else ""
        console.print(Text(f"failed: {failure.stage}{where}: {failure.reason}", "red"), soft_wrap=True)
    for note in record.notes:
        console.print(Text(f"note: {note}", "yellow"), soft_wrap=True)
    for line in used_lines(record):
        console.print(Text(line, "dim"), soft_wrap=True)
    for line in tracking_lines(folder):
        console.print(Text(line, "dim"), soft_wrap=True)
    took = ", ".join(f"{stage} {value:.1f} s" for stage, value in record.seconds.items())
    console.print(Text(f"took: {took}", "dim"), soft_wrap=True)


def used_lines(record: RunRecord) -> Iterator[str]:
    """The components with all their parameters, what of them was asked for by hand, and where it ran."""
    parts = [("extractor", record.extractor), ("front end", record.frontend)]
    parts += [("augmentation", part) for part in record.augmentations]
    for role, part in (*parts, ("scorer", record.scorer)):
        yield f"{role} {part.name}, version {part.version}: {_assignments(part.params) or 'no parameters'}"
    profile = f", profile {record.asked.profile}" if record.asked.profile else ""
    yield f"asked by hand: {_assignments(record.asked.params) or 'no parameters'}{profile}"
    own = record.environment
    threads = "" if own.threads is None else f", {own.threads} thread{'' if own.threads == 1 else 's'}"
    commit = ""
    if own.git_commit:
        commit = f", commit {own.git_commit[:12]}{' with changes' if own.git_dirty else ''}"
    version = f", asdbench {own.packages['asdbench']}" if "asdbench" in own.packages else ""
    yield f"ran on {own.device}{threads}, Python {own.python}{version}{commit}"


def _assignments(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in params.items())


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
