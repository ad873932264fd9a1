"""Tables and JSON of runs and plans."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rich.table import Table
from rich.text import Text

from asdbench.cli.choices import print_choices
from asdbench.cli.console import Console, table_console, width_of
from asdbench.cli.next_command import next_command
from asdbench.cli.tracking import tracking_of
from asdbench.datasets import Dataset
from asdbench.harness import Plan, RunRecord
from asdbench.harness.learned import learned, learning_as_json, mark_of
from asdbench.harness.record import FILE
from asdbench.harness.selecting import Choice

System = tuple[str | None, str, str]  # card, extractor, scorer


def results_as_json(records: dict[str, RunRecord], plan: Plan, choices: Sequence[Choice] = ()) -> str:
    """The JSON object of ``asdbench run``; scores are fractions."""
    runs = [_run_as_json(records[cell.run_id], plan) for cell in plan.asked if cell.run_id in records]
    chosen = {"choices": [asdict(choice) for choice in choices]} if plan.spec.select else {}
    return json.dumps({"runs": runs, **chosen}, indent=2)


def _run_as_json(record: RunRecord, plan: Plan) -> dict[str, Any]:
    results = record.results
    machines = results.machines if results else {}
    return {
        "run_id": record.run_id,
        "system": record.asked.system or f"{record.extractor.name}-{record.scorer.name}",
        "extractor": record.extractor.name,
        "scorer": record.scorer.name,
        "dataset": record.dataset.name,
        "seed": record.asked.seed,
        "status": record.status,
        "partial": bool(record.dataset.lacks),
        "protocol": record.dataset.protocol,
        "official_score": results.official_score if results else None,
        "ci95": list(record.ci95) if record.ci95 else None,
        **learning_as_json(learned(record)),
        "machines": {name: machine.model_dump() for name, machine in machines.items()},
        "record": str(plan.spec.out / record.run_id / FILE),
        "seconds": record.seconds,
        "notes": record.notes,
        "failures": [failure.model_dump(exclude={"detail"}) for failure in record.failures],
        "tracking": tracking_of(plan.spec.out / record.run_id, plan.spec.out, plan.spec.tracking),
    }


def print_results(records: dict[str, RunRecord], plan: Plan, choices: Sequence[Choice] = ()) -> None:
    """A table for each data set (rows: systems, columns: machine types and the official score); the next command."""
    console = table_console()
    for dataset in plan.datasets:
        systems: dict[System, list[RunRecord]] = {}
        for cell in plan.asked:
            if cell.dataset is dataset:
                record = records[cell.run_id]
                key = (record.asked.system, record.extractor.name, record.scorer.name)
                systems.setdefault(key, []).append(record)
        console.print()
        _print_table(console, systems, dataset, plan)
    if choices:
        print_choices(console, choices, plan, records)
    failed = [records[cell.run_id] for cell in plan.asked if records[cell.run_id].status == "failed"]
    for record in failed:
        for failure in record.failures:
            where = f", {failure.machine}" if failure.machine else ""
            name = record.asked.system or f"{record.extractor.name} + {record.scorer.name}"
            on = f" on {record.dataset.name}" if len(plan.datasets) > 1 else ""
            text = f"failed: {name}{on}, seed {record.asked.seed}{where}: {failure.reason}"
            console.print(Text(text, "red"), soft_wrap=True)
    console.print()
    console.print(Text(f"Records and score files: {plan.spec.out}/", "dim"), soft_wrap=True)
    if plan.spec.tracking != "none":
        where = "" if plan.spec.out == Path("runs") else f" --out {plan.spec.out}"
        console.print(Text(f"Side by side in MLflow: asdbench ui{where}", "dim"), soft_wrap=True)
    again = "the same command with --retry-failed, once the cause is mended; what is done is not done again"
    console.print(Text.assemble(("Next: ", "dim"), again if failed else next_command(plan)), soft_wrap=True)


def _print_table(console: Console, systems: dict[System, list[RunRecord]], dataset: Dataset, plan: Plan) -> None:
    """The widest table that fits; what is left out for want of room is said, and no number is ever cut."""
    terms = _terms(dataset.protocol)
    for machines, means in ((dataset.machines, terms), (dataset.machines, ()), ((), ())):
        table = _table(systems, dataset, plan, machines, means)
        if width_of(table, console) <= console.width:
            break
    console.print(table)
    for (name, extractor, scorer), runs in systems.items():
        found = learned(*runs)
        if found:
            text = f"{name or f'{extractor} + {scorer}'}: {found.text}"
            console.print(Text(text, "yellow" if found.mark else "dim"), soft_wrap=True)
    if not machines:
        text = f"Machine types need more than {console.width} columns: asdbench runs show RUN, or --json."
        console.print(Text(text, "dim"), soft_wrap=True)


def _table(
    systems: dict[System, list[RunRecord]],
    dataset: Dataset,
    plan: Plan,
    machines: Sequence[str],
    terms: Sequence[tuple[str, str]],
) -> Table:
    seeds = len(dict.fromkeys(plan.spec.seed))
    spread = f", mean ± standard deviation of {seeds} seeds" if seeds > 1 else ", [95 % interval]"
    score = f"official score of {dataset.protocol}"
    if dataset.lacks:
        score = f"PARTIAL score by {dataset.protocol}, not official,"
    title = f"{dataset.name}, {score} in percent{spread if dataset.labelled else ''}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1), show_edge=False)
    named = any(name for name, _, _ in systems)
    for column in (*(("system",) if named else ()), "extractor", "scorer"):
        table.add_column(column, overflow="fold")
    for column in (*machines, *(name for name, _ in terms)):
        table.add_column(column, justify="right", no_wrap=True)
    total = "partial score" if dataset.lacks else "official score"
    table.add_column(total, justify="right", no_wrap=True, style="bold")
    order = sorted(systems.items(), key=lambda item: -_mean_score(item[1]))
    for (name, extractor, scorer), runs in order:
        results = [run.results for run in runs if run.results is not None]
        cells = [name or "", extractor, scorer] if named else [extractor, scorer]
        cells += [_of_machine(runs, machine) for machine in machines]
        whole = len(results) == len(runs)
        cells += [_percent([_over_machines(one, term) for one in results]) if whole else "-" for _, term in terms]
        table.add_row(*map(Text, [*cells, _total(runs)]))
    return table


def _total(runs: list[RunRecord]) -> str:
    """The official score; where seeds failed, that of the others, and how many they are."""
    scores = [run.results.official_score for run in runs if run.results is not None]
    if len(scores) < len(runs):
        failed = any(run.status == "failed" for run in runs)
        if not failed:
            return "no labels"
        if not scores:
            return "failed"
    text = _percent(scores)
    if len(scores) < len(runs):
        text += f" ({len(scores)} of {len(runs)} seeds)"
    interval = runs[0].ci95
    if len(runs) == 1 and interval:
        text += f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
    return f"{text} (did not learn)" if mark_of(*runs) else text


def _of_machine(runs: list[RunRecord], machine: str) -> str:
    """The score of one machine type, where all seeds have one, though some may have failed elsewhere."""
    parts = [(run.results.machines if run.results else run.salvaged).get(machine) for run in runs]
    return "-" if None in parts else _percent([part.official_score for part in parts if part is not None])


def _terms(protocol: str) -> tuple[tuple[str, str], ...]:
    if protocol == "dcase2020":
        return (("AUC", "auc"), ("pAUC", "pauc"))
    return (("AUC source", "auc_source"), ("AUC target", "auc_target"), ("pAUC", "pauc"))


def _over_machines(result: Any, term: str) -> float:
    from asdbench.protocols.metrics import harmonic_mean

    values = [getattr(machine, term) for machine in result.machines.values()]
    return fmean(values) if result.protocol == "dcase2020" else float(harmonic_mean(values))


def _mean_score(runs: list[RunRecord]) -> float:
    scores = [run.results.official_score for run in runs if run.results]
    return fmean(scores) if scores else -1.0


def _percent(values: list[float]) -> str:
    if len(values) == 1:
        return f"{100 * values[0]:.2f}"
    return f"{100 * fmean(values):.2f} ± {100 * stdev(values):.2f}"
