"""The plan of ``asdbench run``, shown before anything is done."""

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from asdbench.cli.console import print_whole, table_console
from asdbench.cli.progress import in_words
from asdbench.harness.estimate import Forecast, Outlook
from asdbench.harness.plan import Plan

STATE_STYLES = {"done": "green", "failed": "red"}


def plan_as_json(plan: Plan, forecast: Forecast) -> str:
    """The plan as JSON; times are seconds, null where no past run tells."""
    datasets = [
        {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "protocol": dataset.protocol,
            "machines": dataset.machines,
            "clips": len(dataset),
        }
        for dataset in plan.datasets
    ]
    head = {"datasets": datasets, "device": plan.device, "processes": forecast.processes}
    total = {"estimate_s": forecast.total_s, "fits_without_estimate": forecast.unknown_fits}
    runs = [_cell_as_json(outlook) for outlook in forecast.cells if not outlook.cell.implied]
    return json.dumps({**head, **total, "plan": runs}, indent=2)


def _cell_as_json(outlook: Outlook) -> dict[str, Any]:
    cell = outlook.cell
    parts = (cell.extractor, cell.frontend, *cell.augmentations, cell.scorer)
    return {
        "run_id": cell.run_id,
        "system": cell.system,
        "extractor": cell.extractor.name,
        "scorer": cell.scorer.name,
        "dataset": cell.dataset.name,
        "seed": cell.seed,
        "profile": cell.profile,
        "params": {part.name: part.params for part in parts},
        "done": outlook.state == "done",
        "state": outlook.state,
        "fits": outlook.fits,
        "trained": outlook.trained,
        "embedded": outlook.embedded,
        "estimate_s": outlook.estimate_s,
    }


def print_plan(plan: Plan, forecast: Forecast) -> None:
    """The plan as a table, and what it comes to."""
    console = table_console()
    for dataset in plan.datasets:
        machines = ", ".join(dataset.machines)
        line = f"{dataset.name}: {len(dataset)} clips of {machines}; protocol {dataset.protocol}"
        console.print(Text(line), soft_wrap=True)
    asked = [outlook for outlook in forecast.cells if not outlook.cell.implied]
    print_whole(_table(asked, several=len(plan.datasets) > 1))
    console.print(Text(_sum(plan, forecast), "bold"), soft_wrap=True)


def _table(cells: Sequence[Outlook], several: bool) -> Table:
    named = any(outlook.cell.system for outlook in cells)
    columns = ["data set"] * several + ["system"] * named + ["extractor", "scorer", "seed", "profile", "state", "about"]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in ("seed", "about") else "left", no_wrap=True)
    table.add_column("run", no_wrap=True)
    for outlook in cells:
        cell = outlook.cell
        row = [cell.dataset.name] * several + [cell.system or ""] * named
        row += [cell.extractor.name, cell.scorer.name, str(cell.seed), cell.profile or "full"]
        about = "" if outlook.state in ("done", "failed") else _about(outlook.estimate_s)
        state = Text(_state(outlook), STATE_STYLES.get(outlook.state, ""))
        table.add_row(*map(Text, row), state, Text(about), Text(cell.run_id, "dim"))
    return table


def _state(outlook: Outlook) -> str:
    if outlook.state != "to do":
        return outlook.state
    if outlook.embedded == outlook.fits:
        return "to score"
    if outlook.trained == outlook.fits:
        return "to embed"
    return f"to fit ({outlook.trained} of {outlook.fits} there)" if outlook.trained else "to fit"


def _about(seconds: float | None) -> str:
    return "?" if seconds is None else in_words(seconds)


def _sum(plan: Plan, forecast: Forecast) -> str:
    counts = {state: sum(outlook.state == state for outlook in forecast.cells) for state in ("done", "failed", "to do")}
    words = [f"{len(forecast.cells)} runs: {counts['done']} done"]
    if counts["failed"]:
        words.append(f"{counts['failed']} failed before (--retry-failed does them again)")
    words.append(f"{counts['to do']} to do")
    text = ", ".join(words)
    if not counts["to do"]:
        return text
    many = f"{forecast.processes} processes" if forecast.processes > 1 else "one process"
    text += f"; {forecast.fits} fits, device {plan.device}, {many}"
    if forecast.total_s is None:
        return f"{text}. No past run in {plan.spec.out}/ tells how long that takes."
    text += f": about {in_words(forecast.total_s)}, by past runs"
    if forecast.unknown_fits:
        text += f" ({forecast.unknown_fits} fits that none of them tells of count as the mean)"
    return f"{text}."
