"""``asdbench data info``: what a data set holds, from names and headers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli.options import AsJson, DataRoot, PluginPath, Split
from asdbench.cli.output import echo, print_json
from asdbench.core.paths import expand_user

if TYPE_CHECKING:
    from rich.table import Table

    from asdbench.datasets.audit.findings import Row
    from asdbench.datasets.inventory import Inventory

DataSet = Annotated[
    str,
    typer.Argument(help="A folder, the card of a synthetic data set, or that of a challenge: dcase2020 to dcase2026."),
]
Machines = Annotated[
    list[str] | None, typer.Option("--machine", metavar="NAME", help="Only this machine type; may be repeated.")
]
SHOWN_FAULTS = 5


def info(
    dataset: DataSet = "synthetic",
    split: Split = None,
    data_root: DataRoot = None,
    machine: Machines = None,
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """Show what a data set holds: numbers of clips, rates, channels and lengths; what is missing is said."""
    import json
    from dataclasses import asdict

    from asdbench.core.progress import Silent
    from asdbench.datasets.audio import BadRecording, Header
    from asdbench.datasets.audit.findings import counts, lacking, layout_of, rows
    from asdbench.datasets.audit.sounds import for_each, header_or_reason
    from asdbench.harness.machine import available_cores

    inventory = open_inventory(dataset, split, data_root, machine or [], plugin_path or [])
    paths = [one.path for one in inventory.recordings]
    read = dict(zip(paths, for_each(header_or_reason, paths, available_cores(), Silent(), "headers"), strict=True))
    found = rows(inventory, {path: one for path, one in read.items() if isinstance(one, Header)})
    unusable = [f"{inventory.relative(path)}: {one}" for path, one in read.items() if isinstance(one, BadRecording)]
    fingerprint, faults = _fingerprint(inventory)
    if as_json:
        content: dict[str, Any] = {
            "name": inventory.name,
            "layout": layout_of(inventory),
            "fingerprint": fingerprint,
            "clips": counts(inventory),
            "root": str(inventory.root),
            "split": inventory.split,
            "machines": [asdict(row) for row in found],
            "missing": lacking(inventory),
            "unreadable": len(unusable),
            "unusable": unusable,
            "faults": faults,
        }
        print_json(json.dumps(content, indent=2))
        return
    from asdbench.cli.console import table_console

    _print_counts(inventory, counts(inventory))
    table = form_table(found)
    table_console().print(table)
    echo()
    for line in lacking(inventory):
        echo(f"missing: {line}")
    for reason in unusable:
        echo(f"cannot be used: {reason}")
    if fingerprint is not None:
        echo(f"fingerprint {fingerprint}")
        return
    for fault in faults[:SHOWN_FAULTS]:
        echo(f"cannot be used: {fault}")
    if len(faults) > SHOWN_FAULTS:
        echo(f"cannot be used: and {len(faults) - SHOWN_FAULTS} more")
    named = "".join(f" --machine {name}" for name in machine or [])
    place = f" --split {inventory.split} --data-root {inventory.root}" if inventory.card else ""
    echo("No fingerprint: something is missing or cannot be used.")
    echo(f"All that is wrong: asdbench data verify {dataset}{place}{named}")
    if inventory.missing:
        echo(f"Get what is missing: {inventory.download(inventory.missing)}")


def open_inventory(
    dataset: str, split: str | None, root: Path | None, machines: Sequence[str], plugin_paths: Sequence[Path]
) -> "Inventory":
    """What lies there of a folder, a synthetic data set (made when it is not in the cache) or a challenge.

    Raises:
        UsageError: there is no such data set, split or machine type, or --split goes with no challenge.
        DataError: there is nothing of it.
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.core.errors import UsageError
    from asdbench.core.paths import cache_root
    from asdbench.datasets.challenge import inventory_of_challenge
    from asdbench.datasets.inventory import inventory_of_folder
    from asdbench.harness import data
    from asdbench.harness.machine import available_cores
    from asdbench.registry import load_catalog

    catalog = load_catalog(plugin_paths)
    for warning in catalog.warnings:
        echo(f"warning: {warning}", err=True)
    folder = data.is_folder(dataset, catalog)
    card = None if folder else catalog.find("datasets", dataset).challenge
    if card is not None:
        return inventory_of_challenge(dataset, card, split, data.data_root(root), machines)
    if split or root:
        raise UsageError(
            f"--{'split' if split else 'data-root'}: '{dataset}' is not the data set of a challenge, so there is "
            "nothing to pick.\nSee: asdbench list datasets"
        )
    if folder:
        return inventory_of_folder(expand_user(dataset), None, machines)
    component = catalog.component("datasets", dataset)
    made = data.made_data(component, cache_root(), available_cores(), ConsoleProgress(False))
    return inventory_of_folder(made, dataset, machines)


def form_table(found: "Sequence[Row]", marks: "Sequence[str] | None" = None) -> "Table":
    """A line for each machine type and section: clips there and expected, rate, channels, lengths, attributes."""
    from rich.table import Table

    supplemental = any("supplemental" in row.clips or "supplemental" in row.expected for row in found)
    shown = Table(box=None, title_justify="left", header_style="bold")
    for name in ("machine", "section"):
        shown.add_column(name, no_wrap=True)
    numbers = ("train", "test", "supplemental") if supplemental else ("train", "test")
    for name in (*numbers, "Hz", "channels", "seconds"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("attributes", no_wrap=True)
    if marks is not None:
        shown.add_column("status", no_wrap=True)
    for index, row in enumerate(found):
        cells = [row.machine, row.section, *(_number(row, split) for split in numbers)]
        cells += [", ".join(map(str, row.rates_hz)), ", ".join(map(str, row.channels)), _lengths(row), row.attributes]
        shown.add_row(*cells, *([marks[index]] if marks is not None else []))
    return shown


def _number(row: "Row", split: str) -> str:
    there = row.clips.get(split, 0)
    wanted = row.expected.get(split)
    return str(there) if wanted is None or wanted == there else f"{there} of {wanted}"


def _lengths(row: "Row") -> str:
    if not row.longest_s:
        return ""
    short, long = f"{row.shortest_s:.2f}", f"{row.longest_s:.2f}"
    return short if short == long else f"{short} to {long}"


def _print_counts(inventory: "Inventory", found: "list[dict[str, str | int]]") -> None:
    from rich.table import Table

    from asdbench.datasets.audit.findings import layout_of

    number = sum(one.split != "supplemental" for one in inventory.recordings)
    extra = len(inventory.recordings) - number
    more = f" and {extra} supplemental" if extra else ""
    title = f"{inventory.name}: {number} clips{more}, layout {layout_of(inventory)}"
    shown = Table(
        "machine", "section", "split", "domain", "label", "clips", title=title, box=None, title_justify="left"
    )
    from asdbench.cli.console import table_console

    for row in found:
        shown.add_row(*map(str, row.values()))
    table_console().print(shown)
    echo()


def _fingerprint(inventory: "Inventory") -> tuple[str | None, list[str]]:
    """The fingerprint that runs record, and why there is none."""
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.core.errors import DataError
    from asdbench.core.paths import cache_root
    from asdbench.harness.data import content_digests

    if inventory.missing:
        return None, []
    try:
        table = inventory.to_dataset(content_digests(cache_root(), ConsoleProgress(False)))
    except DataError as error:
        return None, [inventory.relative(problem) for problem in error.problems] or [str(error)]
    return table.fingerprint, []
