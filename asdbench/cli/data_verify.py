"""``asdbench data verify``: read every recording of a data set and say what is wrong with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli.data_info import DataSet, Machines, form_table, open_inventory
from asdbench.cli.options import AsJson, DataRoot, Jobs, PluginPath, Quiet, Split
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.datasets.audit import Audit, Finding

SHOWN_FILES = 5


def verify(
    dataset: DataSet = "synthetic",
    split: Split = None,
    data_root: DataRoot = None,
    machine: Machines = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option(
            "--ground-truth",
            metavar="DIR|FILE",
            help="Labels of evaluation data: compared with one another and with the recordings.",
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name every file.")] = False,
    jobs: Jobs = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
    plugin_path: PluginPath = None,
) -> None:
    """Read every recording and report what is missing, doubled, unusable or strange.

    Ends with 0 when there are no errors (there may be warnings), 1 when there are, 3 when there is no data.
    """
    import json

    from asdbench.cli.progress import ConsoleProgress
    from asdbench.datasets import audit
    from asdbench.harness.machine import available_cores

    inventory = open_inventory(dataset, split, data_root, machine or [], plugin_path or [])
    found = audit.verify(
        inventory,
        jobs or available_cores(),
        ConsoleProgress(quiet),
        None if ground_truth is None else ground_truth.expanduser(),
    )
    if as_json:
        print_json(json.dumps(audit_as_json(found), indent=2))
    else:
        _print(found, verbose)
    if found.errors:
        raise typer.Exit(1)


def audit_as_json(found: "Audit") -> dict[str, Any]:
    """Everything that an audit found."""
    from dataclasses import asdict

    return {
        "name": found.inventory.name,
        "root": str(found.inventory.root),
        "split": found.inventory.split,
        "ok": not found.errors,
        "errors": found.errors,
        "warnings": found.warnings,
        "recordings": len(found.inventory.recordings),
        "seconds": round(found.seconds, 3),
        "machines": [{**asdict(row), "status": mark} for row, mark in zip(found.rows, marks(found), strict=True)],
        "findings": [asdict(finding) for finding in found.findings],
        "not_checked": found.not_checked,
        "known_problems": found.known_problems,
    }


def marks(found: "Audit") -> list[str]:
    """For each row "ok", "warning", "error" or "missing"."""
    result = []
    for row in found.rows:
        own = {one.level for one in found.findings if row.machine in one.machines and one.section in ("", row.section)}
        there = bool(row.clips)
        result.append("missing" if not there else "error" if "error" in own else "warning" if own else "ok")
    return result


def _print(found: "Audit", verbose: bool) -> None:
    from asdbench.datasets.audit.findings import counted

    inventory = found.inventory
    from asdbench.cli.console import table_console

    console = table_console()
    echo(
        f"{inventory.name} below {inventory.root}: {counted(len(inventory.recordings), 'recording')} of "
        f"{counted(len(inventory.machines), 'machine type')}, {_duration(found.seconds)}"
    )
    echo()
    colours = {"ok": "green", "warning": "yellow", "error": "red", "missing": "red"}
    console.print(form_table(found.rows, [f"[{colours[mark]}]{mark}[/]" for mark in marks(found)]))
    for level, colour in (("error", "red"), ("warning", "yellow")):
        own = [one for one in found.findings if one.level == level]
        if own:
            echo()
            echo(f"{level.capitalize()}s", fg=colour, bold=True)
        alike: dict[tuple[str, str], list[Finding]] = {}
        for one in own:
            alike.setdefault((one.kind, one.message), []).append(one)
        for group in alike.values():
            _print_findings(group, verbose)
    if found.known_problems:
        echo()
        echo("Known of this data set", bold=True)
        for name, text in found.known_problems.items():
            echo(f"  {name}: {text}")
    if found.not_checked:
        echo()
        echo("Not checked", bold=True)
        for line in found.not_checked:
            echo(f"  {line}")
    echo()
    echo(_closing(found, verbose))


def _print_findings(group: "list[Finding]", verbose: bool) -> None:
    """Findings of the same words: the machine types in one line, then their files."""
    where = _where(group)
    each = " each" if len(group) > 1 else ""
    echo(f"  {where}: {group[0].message}{each}" if where else f"  {group[0].message}")
    files = [place for one in group for place in one.files]
    shown = files if verbose else files[:SHOWN_FILES]
    for place in shown:
        echo(f"      {place.file}  {place.note}" if place.note else f"      {place.file}")
    if len(shown) < len(files):
        echo(f"      and {len(files) - len(shown)} more")


def _where(group: "list[Finding]") -> str:
    """The machine types of several findings with their sections: "fan section 03 04, valve section 03"."""
    sections: dict[str, list[str]] = {}
    for one in group:
        if one.machine:
            sections.setdefault(one.machine, []).extend([one.section] if one.section else [])
    return ", ".join(f"{machine} section {' '.join(own)}" if own else machine for machine, own in sections.items())


def _closing(found: "Audit", verbose: bool) -> str:
    from asdbench.datasets.audit.findings import counted

    hidden = not verbose and any(len(one.files) > SHOWN_FILES for one in found.findings)
    lines = [
        f"{found.inventory.name}: {counted(found.errors, 'error') if found.errors else 'no errors'}, "
        f"{counted(found.warnings, 'warning')}." + (" The same command with --verbose names every file." * hidden)
    ]
    missing = dict.fromkeys(one.machine for one in found.findings if one.kind.startswith("missing-"))
    if missing and found.inventory.card is not None:
        lines.append(f"Get what is missing: {found.inventory.download(missing)}")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return (
        f"{seconds / 3600:.1f} h"
        if seconds >= 3600
        else f"{seconds / 60:.1f} min"
        if seconds >= 60
        else f"{seconds:.1f} s"
    )
