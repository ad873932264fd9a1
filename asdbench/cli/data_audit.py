"""``asdbench data verify``: read every recording of a data set and say what is wrong with it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli import options as opt
from asdbench.cli.output import echo, print_json
from asdbench.core.errors import DataError
from asdbench.core.paths import cache_root

if TYPE_CHECKING:
    from rich.table import Table

    from asdbench.datasets import Dataset
    from asdbench.datasets.audit import Audit, Finding
    from asdbench.datasets.audit.findings import Row
    from asdbench.datasets.inventory import Inventory

DataSet = Annotated[
    str,
    opt.argument(
        "[DATASET]",
        "A folder, a table of clips (.csv, .parquet), or a card: synthetic, dcase2020 to dcase2026.",
        opt.Named("datasets", "files"),
    ),
]
SHOWN_FILES = 5
COLOURS = {"ok": "green", "warning": "yellow", "error": "red", "missing": "red"}


def verify(
    dataset: DataSet = "synthetic",
    split: opt.Split = None,
    data_root: opt.DataRoot = None,
    machine: opt.Machines = None,
    ground_truth: opt.GroundTruth = None,
    verbose: Annotated[bool, opt.flag("--verbose", "-v", "Name every file.")] = False,
    jobs: opt.Jobs = 0,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Read every recording and report what is missing, doubled, unusable or strange.

    Ends with 0 when there are no errors (there may be warnings), 1 when there are, 3 when there is no data.

    Example: asdbench data verify dcase2024 --split dev --machine fan
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.datasets import audit
    from asdbench.harness.machine import available_cores

    inventory = open_inventory(dataset, split, data_root, machine, plugin_path)
    report = audit.verify(inventory, jobs or available_cores(), ConsoleProgress(quiet), ground_truth)
    print_json(_as_json(report)) if as_json else _print(report, verbose)
    if report.errors:
        raise typer.Exit(1)


def how_scored(dataset: "Dataset") -> str:
    """What can be done with a data set, in a line."""
    if not any(clip.split == "test" for clip in dataset):
        return "No test clips: asdbench fit needs none; run and tune do."
    scored = f"Scored by {dataset.protocol}: AUC of each domain, and pAUC."
    scored = next((note for note in dataset.notes if note.startswith("AUC")), scored)
    return scored if dataset.labelled else "No labels of test clips: they are scored, and not evaluated."


def dataset_of(inventory: "Inventory") -> "tuple[Dataset | None, list[str]]":
    """The data set as runs open it, and why there is none."""
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.harness.data import content_digests

    if inventory.missing:
        return None, []
    try:
        return inventory.to_dataset(content_digests(cache_root(), ConsoleProgress(False))), []
    except DataError as error:
        return None, [inventory.relative(problem) for problem in error.problems] or [str(error)]


def open_inventory(
    dataset: str,
    split: str | None,
    root: Path | None,
    machines: Sequence[str] | None,
    plugin_paths: Sequence[Path] | None,
) -> "Inventory":
    """What lies there of a data set; the recordings of a synthetic one are made when they are not in the cache."""
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.datasets.clips import Source
    from asdbench.harness import data

    source = Source(dataset, split, tuple(machines or ()))
    return data.open_inventory(source, opt.catalog(plugin_paths), root, ConsoleProgress(False))


def header_table(sections: "Sequence[Row]", states: Sequence[str] = ()) -> "Table":
    """A line for each machine type and section: clips there and expected, rate, channels, lengths, attributes."""
    from asdbench.cli.tables import table, text

    supplemental = any("supplemental" in {**row.clips, **row.expected} for row in sections)
    splits = ["train", "test"] + ["supplemental"] * supplemental
    rows: list[list[Any]] = [
        [
            row.machine,
            row.section,
            *(_number(row, split) for split in splits),
            _listed(row.rates_hz),
            _listed(row.channels),
            " to ".join(dict.fromkeys(f"{length:.2f}" for length in (row.shortest_s, row.longest_s) if row.longest_s)),
            row.attributes,
        ]
        for row in sections
    ]
    for row, state in zip(rows, states, strict=False):
        row.append(text(state, COLOURS[state]))
    numbers = [f">{name}" for name in (*splits, "Hz", "channels", "seconds")]
    return table(["machine", "section", *numbers, "attributes", *["status"] * bool(states)], rows)


def _listed(values: Iterable[int]) -> str:
    return ", ".join(map(str, values))


def _number(row: "Row", split: str) -> str:
    there, wanted = row.clips.get(split, 0), row.expected.get(split)
    return str(there) if wanted is None or wanted == there else f"{there} of {wanted}"


def _as_json(report: "Audit") -> dict[str, Any]:
    """Everything that an audit found."""
    from dataclasses import asdict

    return {
        "name": report.inventory.name,
        "root": str(report.inventory.root),
        "split": report.inventory.split,
        "ok": not report.errors,
        "errors": report.errors,
        "warnings": report.warnings,
        "recordings": len(report.inventory.recordings),
        "seconds": round(report.seconds, 3),
        "machines": [{**asdict(row), "status": state} for row, state in zip(report.rows, _states(report), strict=True)],
        "findings": [asdict(finding) for finding in report.findings],
        "not_checked": report.not_checked,
        "known_problems": report.known_problems,
    }


def _states(report: "Audit") -> list[str]:
    """For each row "ok", "warning", "error" or "missing"."""
    states = []
    for row in report.rows:
        about = [one for one in report.findings if row.machine in one.machines and one.section in ("", row.section)]
        worst = "error" if any(one.level == "error" for one in about) else "warning" if about else "ok"
        states.append(worst if row.clips else "missing")
    return states


def _print(report: "Audit", verbose: bool) -> None:
    from asdbench.cli.tables import print_table
    from asdbench.datasets.audit.findings import counted

    inventory = report.inventory
    machines = counted(len(inventory.machines), "machine type")
    recordings = counted(len(inventory.recordings), "recording")
    echo(f"{inventory.name} below {inventory.root}: {recordings} of {machines}, {_duration(report.seconds)}")
    echo()
    print_table(header_table(report.rows, _states(report)))
    for level in ("error", "warning"):
        alike: dict[tuple[str, str], list[Finding]] = {}
        for one in report.findings:
            if one.level == level:
                alike.setdefault((one.kind, one.message), []).append(one)
        _print_section(f"{level.capitalize()}s", [line for same in alike.values() for line in _lines(same, verbose)])
    _print_section("Known of this data set", [f"{name}: {problem}" for name, problem in report.known_problems.items()])
    _print_section("Not checked", report.not_checked)
    echo()
    hidden = not verbose and any(len(one.files) > SHOWN_FILES for one in report.findings)
    more = " The same command with --verbose names every file." if hidden else ""
    errors = counted(report.errors, "error") if report.errors else "no errors"
    echo(f"{inventory.name}: {errors}, {counted(report.warnings, 'warning')}.{more}")
    missing = dict.fromkeys(one.machine for one in report.findings if one.kind.startswith("missing-"))
    if missing and inventory.card is not None:
        echo(f"Get what is missing: {inventory.download(missing)}")


def _print_section(title: str, lines: Sequence[str]) -> None:
    if lines:
        echo()
        echo(title, fg={"Errors": "red", "Warnings": "yellow"}.get(title), bold=True)
    for line in lines:
        echo(f"  {line}")


def _lines(same: "Sequence[Finding]", verbose: bool) -> list[str]:
    """Findings with the same message: the machine types with their sections in one line, then their files."""
    sections: dict[str, list[str]] = {}
    for one in same:
        if one.machine:
            sections.setdefault(one.machine, []).extend([one.section] if one.section else [])
    where = ", ".join(f"{name} section {' '.join(some)}" if some else name for name, some in sections.items())
    files = [place for one in same for place in one.files]
    shown = files if verbose else files[:SHOWN_FILES]
    lines = [f"{where}: {same[0].message}" if where else same[0].message]
    lines[0] += " each" if len(same) > 1 else ""
    lines += [f"    {place.file}  {place.note}".rstrip() for place in shown]
    return [*lines, *([f"    and {len(files) - len(shown)} more"] if len(shown) < len(files) else [])]


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
