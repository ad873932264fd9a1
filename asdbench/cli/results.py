"""Tables and JSON of runs and plans."""

import json
from statistics import fmean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from asdbench.cli.console import table_console
from asdbench.harness import Plan, RunRecord
from asdbench.harness.record import FILE
from asdbench.harness.run import finished

System = tuple[str | None, str, str]  # card, extractor, scorer


def results_as_json(records: list[RunRecord], plan: Plan) -> str:
    """The JSON object of ``asdbench run``; scores are fractions."""
    return json.dumps({"runs": [_run_as_json(record, plan) for record in records]}, indent=2)


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
        "protocol": results.protocol if results else plan.table.protocol,
        "official_score": results.official_score if results else None,
        "ci95": list(record.ci95) if record.ci95 else None,
        "machines": {name: machine.model_dump() for name, machine in machines.items()},
        "record": str(plan.spec.out / record.run_id / FILE),
        "seconds": record.seconds,
        "notes": record.notes,
        "failures": [failure.model_dump(exclude={"detail"}) for failure in record.failures],
    }


def plan_as_json(plan: Plan) -> str:
    """The plan as JSON."""
    runs = [
        {
            "run_id": cell.run_id,
            "system": cell.system,
            "extractor": cell.pipeline.extractor.name,
            "scorer": cell.scorer.name,
            "seed": cell.seed,
            "profile": cell.pipeline.profile,
            "params": {
                part.name: part.params
                for part in (
                    cell.pipeline.extractor,
                    cell.pipeline.frontend,
                    *cell.pipeline.augmentations,
                    cell.scorer,
                )
            },
            "done": finished(plan, cell) is not None,
        }
        for cell in plan.cells
    ]
    head = {"dataset": plan.table.name, "fingerprint": plan.table.fingerprint, "protocol": plan.table.protocol}
    return json.dumps({**head, "device": plan.device, "plan": runs}, indent=2)


def print_plan(plan: Plan) -> None:
    """The plan as a table."""
    console = Console()
    console.print(
        f"{plan.table.name}: {len(plan.table)} clips of {', '.join(plan.table.machines)}; "
        f"protocol {plan.table.protocol}; device {plan.device}; {plan.jobs} threads",
        highlight=False,
    )
    columns = ("extractor", "scorer", "seed", "profile", "run")
    named = any(cell.system for cell in plan.cells)
    table = Table(*(("system",) if named else ()), *columns, box=None, padding=(0, 2, 0, 0))
    for cell in plan.cells:
        there = " (done)" if finished(plan, cell) is not None else ""
        profile = cell.pipeline.profile or "full"
        name = Text(cell.run_id + there, overflow="fold")
        system = [cell.system or ""] if named else []
        table.add_row(*system, cell.pipeline.extractor.name, cell.scorer.name, str(cell.seed), profile, name)
    console.print(table)


def print_results(records: list[RunRecord], plan: Plan) -> None:
    """One table (rows: systems, columns: machine types and the official score) and the next useful command."""
    console = table_console()
    systems: dict[System, list[RunRecord]] = {}
    for record in records:
        key = (record.asked.system, record.extractor.name, record.scorer.name)
        systems.setdefault(key, []).append(record)
    table = _table(systems, plan, _parts(plan.table.protocol))
    if console.measure(table).maximum > console.width:
        table = _table(systems, plan, ())
    console.print()
    console.print(table)
    for record in records:
        for failure in record.failures:
            where = f", {failure.machine}" if failure.machine else ""
            name = record.asked.system or f"{record.extractor.name} + {record.scorer.name}"
            text = f"failed: {name}, seed {record.asked.seed}{where}: {failure.reason}"
            console.print(Text(text, "red"), soft_wrap=True)
    console.print()
    console.print(Text(f"Records and score files: {plan.spec.out}/", "dim"), soft_wrap=True)
    failed = any(record.status == "failed" for record in records)
    again = "the same command, once the cause is mended; what is done is not done again"
    console.print(Text.assemble(("Next: ", "dim"), again if failed else next_command(plan)), soft_wrap=True)


def _table(systems: dict[System, list[RunRecord]], plan: Plan, parts: tuple[tuple[str, str], ...]) -> Table:
    machines = plan.table.machines
    seeds = len(dict.fromkeys(plan.spec.seed))
    spread = f", mean ± standard deviation of {seeds} seeds" if seeds > 1 else ", [95 % interval]"
    score = f"official score of {plan.table.protocol}"
    if plan.table.lacks:
        score = f"PARTIAL score by {plan.table.protocol}, not official,"
    title = f"{plan.table.name}, {score} in percent{spread if plan.labelled else ''}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1), show_edge=False)
    named = any(name for name, _, _ in systems)
    if named:
        table.add_column("system", no_wrap=True)
    table.add_column("extractor", no_wrap=True)
    table.add_column("scorer", no_wrap=True)
    for column in (*machines, *(name for name, _ in parts)):
        table.add_column(column, justify="right", no_wrap=True)
    total = "partial score" if plan.table.lacks else "official score"
    table.add_column(total, justify="right", no_wrap=True, style="bold")
    order = sorted(systems.items(), key=lambda item: -_mean_score(item[1]))
    for (name, extractor, scorer), runs in order:
        results = [run.results for run in runs if run.results is not None]
        cells = [name or "", extractor, scorer] if named else [extractor, scorer]
        if len(results) < len(runs):
            failed = any(run.status == "failed" for run in runs)
            cells += ["-"] * (len(machines) + len(parts)) + ["failed" if failed else "no labels"]
        else:
            cells += [_percent([result.machines[column].official_score for result in results]) for column in machines]
            cells += [_percent([_over_machines(result, term) for result in results]) for _, term in parts]
            interval = runs[0].ci95
            total = _percent([result.official_score for result in results])
            if len(runs) == 1 and interval:
                total += f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
            cells.append(total)
        table.add_row(*map(Text, cells))
    return table


def _parts(protocol: str) -> tuple[tuple[str, str], ...]:
    if protocol == "dcase2020":
        return (("AUC", "auc"), ("pAUC", "pauc"))
    return (("AUC source", "auc_source"), ("AUC target", "auc_target"), ("pAUC", "pauc"))


def _over_machines(result: Any, term: str) -> float:
    from asdbench.protocols.metrics import harmonic_mean

    values = [getattr(machine, term) for machine in result.machines.values()]
    return fmean(values) if result.protocol == "dcase2020" else float(harmonic_mean(values))


def _mean_score(runs: list[RunRecord]) -> float:
    return fmean([run.results.official_score if run.results else -1.0 for run in runs])


def _percent(values: list[float]) -> str:
    if len(values) == 1:
        return f"{100 * values[0]:.2f}"
    return f"{100 * fmean(values):.2f} ± {100 * stdev(values):.2f}"


def next_command(plan: Plan) -> str:
    """The command that a user most likely wants next."""
    system = f"--system {plan.spec.system[0]}" if plan.spec.system else ""
    if not system:
        system = f"--extractor {plan.spec.extractor[0]} --scorer {plan.spec.scorer[0]}"
    if not plan.labelled:
        return (
            f"asdbench evaluate {plan.spec.out / plan.cells[0].run_id} --ground-truth DIR   (once the labels are known)"
        )
    if plan.spec.dataset == "synthetic":
        return f"asdbench run --dataset FOLDER {system}   (your own recordings: FOLDER/<machine>/train and test)"
    if len(plan.spec.seed) == 1:
        spec = plan.spec
        words = [f"asdbench run --dataset {spec.dataset}"]
        words += [f"--split {spec.split}"] if spec.split else []
        words += [f"--data-root {spec.data_root}"] if spec.data_root else []
        words += [f"--machine {machine}" for machine in spec.machine]
        return " ".join([*words, system, "--seed 0 --seed 1 --seed 2   (the spread over seeds)"])
    return "asdbench list scorers   (others to compare; embeddings are kept, so a scorer costs seconds)"
