"""What ``asdbench run`` ends with: a table for each data set, what was chosen, what failed, and the next command."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean, stdev
from typing import Any

from rich.table import Table

from asdbench.cli.output import echo
from asdbench.cli.run_plan import next_command
from asdbench.cli.tables import interval, print_learned, print_table, print_widest, table, text, width
from asdbench.core.commands import command
from asdbench.core.texts import percent
from asdbench.datasets import Dataset
from asdbench.datasets.clips import OWN
from asdbench.harness import Plan, RunRecord
from asdbench.harness.learned import learned, learning_as_json, mark_of
from asdbench.harness.record import FILE
from asdbench.harness.selecting import Choice
from asdbench.harness.store import varied_params, varied_text
from asdbench.protocols.threshold import DEFAULT_RULE
from asdbench.tracking.marks import tracking_of

LISTED = 6  # runs that failed for one reason
TERMS = {"AUC": "auc", "AUC source": "auc_source", "AUC target": "auc_target", "pAUC": "pauc"}


def results_as_json(records: Mapping[str, RunRecord], plan: Plan, choices: Sequence[Choice] = ()) -> dict[str, Any]:
    """The JSON object of ``asdbench run``; scores are fractions."""
    of_runs = [records[cell.run_id] for cell in plan.asked if cell.run_id in records]
    varied = varied_params(of_runs)
    runs = [_run_as_json(record, plan) | {"varied": one} for record, one in zip(of_runs, varied, strict=True)]
    return {"runs": runs, **({"choices": [asdict(choice) for choice in choices]} if plan.spec.select else {})}


def _run_as_json(record: RunRecord, plan: Plan) -> dict[str, Any]:
    results, folder = record.results, plan.spec.out / record.run_id
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
        "machines": {name: machine.model_dump() for name, machine in (results.machines if results else {}).items()},
        "threshold": record.asked.threshold or DEFAULT_RULE.text,
        "decisions": record.decisions.model_dump() if record.decisions else None,
        "record": str(folder / FILE),
        "seconds": record.seconds,
        "notes": record.notes,
        "failures": [failure.model_dump(exclude={"detail"}) for failure in record.failures],
        "tracking": tracking_of(folder, plan.spec.out, plan.spec.tracking),
    }


def print_results(records: Mapping[str, RunRecord], plan: Plan, choices: Sequence[Choice] = ()) -> None:
    """A table for each data set (rows: systems, columns: machine types and the official score); the next command."""
    for dataset in plan.datasets:
        of_dataset = [records[cell.run_id] for cell in plan.asked if cell.dataset is dataset]
        seeds: dict[tuple[str, ...], list[RunRecord]] = {}  # by system
        for record, varied in zip(of_dataset, varied_params(of_dataset), strict=True):
            key = (record.asked.system or "", record.extractor.name, record.scorer.name, repr(varied))
            seeds.setdefault(key, []).append(record)
        echo()
        print_dataset(list(seeds.values()), dataset)
    if choices:
        _print_choices(choices, plan, records)
    failed = [records[cell.run_id] for cell in plan.asked if records[cell.run_id].status == "failed"]
    _print_failures(failed, several=len(plan.datasets) > 1)
    echo()
    echo(f"Records and score files: {plan.spec.out}/", dim=True)
    if plan.spec.tracking != "none":
        ui = command("ui", out=plan.spec.out)
        echo(f"Side by side in MLflow: {ui}", dim=True)
    again = "the same command with --retry-failed, once the cause is fixed; what is done is not done again"
    echo(f"Next: {again if failed else next_command(plan)}")


def _print_failures(failed: Sequence[RunRecord], *, several: bool) -> None:
    """Each reason once, with the runs and machine types that it is of; ``several``: data sets, so they are named."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for record in failed:
        run = f"{record.name}{f' on {record.dataset.name}' if several else ''}, seed {record.asked.seed}"
        for failure in record.failures:
            reasons.setdefault(failure.reason, {}).setdefault(run, []).extend(filter(None, [failure.machine]))
    for reason, runs in reasons.items():
        names = [", ".join([run, *machines]) for run, machines in runs.items()]
        more = [f"{len(names) - LISTED} more"] if len(names) > LISTED else []
        echo(f"failed: {'; '.join([*names[:LISTED], *more])}: {reason}", fg="red")


def print_dataset(systems: Sequence[Sequence[RunRecord]], dataset: Dataset) -> None:
    """The widest table that fits; what is left out for want of room is named, and no number is ever cut."""
    spread = ", [95 % interval]"
    count = max(map(len, systems))
    if count > 1:
        spread = f", mean ± standard deviation of {count} seeds"
    from asdbench.protocols.definitions import score_name

    score = score_name(dataset.protocol, dataset.layout)
    if dataset.lacks:
        score = f"PARTIAL score by {dataset.protocol}, not official,"
    echo(f"{dataset.name}, {score} in percent{spread if dataset.labelled else ''}", bold=True)
    for note in dataset.notes:
        echo(note, dim=True)
    ranked = sorted(systems, key=lambda runs: -_mean_score(runs))
    terms = [name for name in TERMS if (name in ("AUC", "pAUC") if dataset.protocol == "dcase2020" else name != "AUC")]
    contents: list[tuple[Sequence[str], Sequence[str]]] = [(dataset.machines, terms), (dataset.machines, []), ([], [])]
    tables = [_table(ranked, dataset, machines, means) for machines, means in contents]
    printed = print_widest(*tables)
    for runs in systems:
        print_learned(learned(*runs), runs[0].name)
    fixed = [runs[0].name for runs in systems if len(runs) > 1 and _nothing_random(runs)]
    if fixed:
        echo(f"The same with every seed, so one is enough: {', '.join(fixed)}", dim=True)
    if printed is tables[-1]:
        echo(f"Machine types need more than {width()} columns: asdbench runs show RUN, or --json.", dim=True)


def _table(
    systems: Sequence[Sequence[RunRecord]], dataset: Dataset, machines: Sequence[str], terms: Sequence[str]
) -> Table:
    named = any(runs[0].asked.system for runs in systems)
    own = dataset.layout == OWN or dataset.protocol == "dcase2020" != dataset.layout
    total = "partial score" if dataset.lacks else "score" if own else "official score"
    columns = [*["system"] * named, "extractor", "scorer", *(f">{column}" for column in (*machines, *terms, total))]
    rows = []
    varied = varied_params([runs[0] for runs in systems])
    columns[2 + named : 2 + named] = ["parameters"] * any(varied)
    for runs, of_system in zip(systems, varied, strict=True):
        first = runs[0]
        row = [first.asked.system or ""] * named + [first.extractor.name, first.scorer.name]
        row += [varied_text(of_system)] * any(varied)
        row += [_of_machine(runs, machine) for machine in machines]
        row += [_of_all_machines(runs, TERMS[term]) for term in terms]
        rows.append([*row, text(_total(runs), "bold")])
    return table(columns, rows)


def _total(runs: Sequence[RunRecord]) -> str:
    """The official score; where seeds failed, that of the others, and how many they are."""
    scores = [run.results.official_score for run in runs if run.results is not None]
    if len(scores) < len(runs) and not any(run.status == "failed" for run in runs):
        return "no labels"
    if not scores:
        return "failed"
    total = _mean_and_spread(scores)
    if len(scores) < len(runs):
        total += f" ({len(scores)} of {len(runs)} seeds)"
    if len(runs) == 1 and runs[0].ci95:
        total += f" [{interval(runs[0].ci95)}]"
    return f"{total} (did not learn)" if mark_of(*runs) else total


def _of_machine(runs: Sequence[RunRecord], machine: str) -> str:
    """The score of one machine type, where all seeds have one, though some may have failed elsewhere."""
    results = [run.scored.get(machine) for run in runs]
    scores = [result.official_score for result in results if result is not None]
    return _mean_and_spread(scores) if len(scores) == len(runs) else "-"


def _of_all_machines(runs: Sequence[RunRecord], term: str) -> str:
    """The mean of a term of the official score over the machine types."""
    from asdbench.protocols.definitions import DEFINITIONS

    means = [
        float(DEFINITIONS[run.results.protocol].mean([getattr(one, term) for one in run.results.machines.values()]))
        for run in runs
        if run.results is not None
    ]
    return _mean_and_spread(means) if len(means) == len(runs) else "-"


def _mean_score(runs: Sequence[RunRecord]) -> float:
    scores = [run.results.official_score for run in runs if run.results]
    return fmean(scores) if scores else -1.0


def _mean_and_spread(values: Sequence[float]) -> str:
    spread = percent(stdev(values)) if len(values) > 1 else ""
    return percent(fmean(values)) + (f" ± {spread}" if spread.strip("0.") else "")


def _nothing_random(runs: Sequence[RunRecord]) -> bool:
    """Whether all seeds have a result, and the same."""
    results = [run.results for run in runs]
    return None not in results and all(result == results[0] for result in results)


def _print_choices(choices: Sequence[Choice], plan: Plan, records: Mapping[str, RunRecord]) -> None:
    """A row for each data set and seed; what could not be chosen among, and why."""
    names = {cell.run_id: cell.name for cell in plan.asked}
    names |= {run: f"{name} (did not learn)" for run, name in names.items() if run in records and mark_of(records[run])}
    among = "those rated" if any(choice.left_out for choice in choices) else "all"
    columns = ["data set", ">seed", "chosen", ">its score", ">one for each machine type"]
    rows = []
    for choice in choices:
        scores = (choice.score, choice.mixed_score, choice.mean_score, choice.oracle_score)
        cells = [percent(score) or "-" for score in scores]
        best = f" ({names[choice.oracle]})" if choice.oracle else ""
        rows.append([choice.dataset, choice.seed, names[choice.chosen], *cells[:3], cells[3] + best])
    echo()
    development = choices[0].development
    if development is not None:
        echo(
            f"LABELS of {development} had a part in this choice: it is no choice by training clips alone.", fg="yellow"
        )
    by = "training clips alone" if development is None else f"training clips, among what {development} did not veto"
    echo(f"Chosen by {by}; official scores in percent, known by test labels afterwards", bold=True)
    print_table(table([*columns, f">mean of {among}", f">best of {among}"], rows))
    for choice in choices:
        where = f"({choice.dataset}, seed {choice.seed})"
        if len(set(choice.of_machine.values())) > 1:
            chosen = "; ".join(f"{machine}: {names[run]}" for machine, run in choice.of_machine.items())
            echo(f"for each machine type {where}: {chosen}", dim=True)
        for run, reason in choice.left_out.items():
            echo(f"not rated: {names[run]} {where}: {reason}", dim=True)
