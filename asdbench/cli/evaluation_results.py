"""Table and JSON of evaluated score files."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.table import Table

from asdbench.cli.output import echo
from asdbench.cli.tables import interval, print_widest, styled, table, text, width
from asdbench.core.texts import percent
from asdbench.protocols import Difference
from asdbench.protocols.decisions import PER_HOUR, Decisions, Measure
from asdbench.protocols.evaluation import result_rows
from asdbench.protocols.results import Evaluation
from asdbench.score_files.evaluation import FolderEvaluation
from asdbench.score_files.files import Problem

SHOWN = 8  # problems of one file that are shown; all are in the JSON
METRICS = {"auc": "AUC", "pauc": "pAUC", "precision": "precision", "recall": "recall", "f1": "F1"}
RANKED = ("auc", "pauc")  # what the official score is made of


def difference_as_json(difference: Difference, name: str = "difference") -> dict[str, Any]:
    """A difference of two systems under a key of the command's; fractions."""
    return {
        name: difference.difference,
        "ci95": list(difference.ci95),
        "probability_of_being_better": difference.probability,
    }


def evaluation_as_json(
    protocol: str, result: FolderEvaluation, notes: Sequence[str], difference: Difference | None
) -> dict[str, Any]:
    """The JSON object of ``asdbench evaluate``; scores are fractions."""
    intervals, evaluation = result.intervals, result.evaluation
    machines = evaluation.model_dump()["machines"] if evaluation else {}
    for name, columns in intervals.machines.items() if intervals else ():
        machines[name]["ci95"] = {column: list(pair) for column, pair in columns.items()}
        for section, terms in intervals.sections[name].items() if intervals else ():
            machines[name]["sections"][section]["ci95"] = {term: list(pair) for term, pair in terms.items()}
    return {
        "protocol": protocol,
        "dataset": result.dataset,
        "official_score": result.official_score,
        "ci95": list(intervals.official_score) if intervals and intervals.official_score else None,
        "ci95_method": intervals.method if intervals else None,
        "partial": result.partial,
        "official": result.official_score is not None and not result.partial and result.dataset is not None,
        "machines": machines,
        "means": evaluation.means.model_dump() if evaluation and evaluation.means else None,
        "decisions": result.decisions.model_dump() if result.decisions else None,
        "problems": [problem.model_dump() for problem in result.problems],
        "notes": list(notes),
        **({"difference": difference_as_json(difference, "official_score")} if difference is not None else {}),
    }


def print_evaluation(protocol: str, result: FolderEvaluation, notes: Sequence[str]) -> None:
    """Problems, one table, and the official score."""
    _print_problems(result.problems)
    if result.evaluation is not None:
        bootstrapped = result.intervals is not None and result.intervals.machines
        echo(f"{protocol}, percent" + (", [95 % interval]" if bootstrapped else ""), bold=True)
        scored = _table(protocol, result.evaluation, result, RANKED)
        if print_widest(_table(protocol, result.evaluation, result), scored) is scored:
            echo(f"Precision, recall and F1 need more than {width()} columns, or --json.", dim=True)
        echo()
    if result.decisions is not None:
        print_decisions(result.decisions)
    for note in notes:
        echo(f"note: {note}", fg="yellow")
    if result.intervals is not None and result.intervals.replicates == 0:
        echo(f"note: the interval is {result.intervals.method}.", fg="yellow")
    _print_score(protocol, result)


def print_decisions(decisions: Decisions) -> None:
    """F1-EV, false alarms and anomalies detected, by machine type; official scores have no part in it."""
    columns = list(decisions.total.named)
    if not columns:
        return
    rows = {**decisions.machines, **({"mean": decisions.total} if len(decisions.machines) > 1 else {})}
    bootstrapped = any(one.ci95 for one in decisions.total.named.values())
    units = "percent and number an hour" if PER_HOUR in columns else "percent"
    echo(f"Decisions, {units}" + (", [95 % interval]" if bootstrapped else ""), bold=True)
    heads = ["machine", *(">" + column.replace(" ", "\n", 1) for column in columns)]
    tables = [
        table(heads, [[name, *(_measure(one.named, head, ends) for head in columns)] for name, one in rows.items()])
        for ends in (True, False)
    ]
    print_widest(*tables)
    echo()


def _measure(measures: Mapping[str, Measure], column: str, ends: bool) -> str:
    if column not in measures:
        return ""
    scale = 0.01 if column == PER_HOUR else 1.0
    one = measures[column]
    low_high = f" [{interval((one.ci95[0] * scale, one.ci95[1] * scale))}]" if ends and one.ci95 else ""
    return percent(one.value * scale, 1) + low_high


def _print_problems(problems: Sequence[Problem]) -> None:
    shown: Counter[tuple[str | None, str]] = Counter()
    for problem in problems:
        shown[problem.file, problem.kind] += 1
        if shown[problem.file, problem.kind] <= SHOWN:
            kind, colour = ("note", "yellow") if problem.harmless else (problem.kind, "red")
            echo(f"{kind}: {problem}", fg=colour)
    for (file, kind), count in shown.items():
        if count > SHOWN:
            echo(f"{kind}: {file or 'in all'}: {count - SHOWN} more (all of them: --json)", fg="red")
    if problems:
        echo()


def _print_score(protocol: str, result: FolderEvaluation) -> None:
    if result.official_score is None:
        echo("partial", nl=False, fg="red", bold=True)
        echo(f": no official score by {protocol}, which needs all of {result.dataset or 'the data set'}")
        echo("Next: correct what is listed above, or --partial for a score of what is there", dim=True)
        if result.dataset:
            echo("Recordings of your own, not those of the challenge: --split own", dim=True)
        return
    ends = result.intervals.official_score if result.intervals else None
    # The official half-width is near 1e-5, so it needs its digits.
    digits = 4 if result.intervals and result.intervals.replicates == 0 else 2
    score = f"{percent(result.official_score)} %" + (f" [{interval(ends, digits)}]" if ends else "")
    of = f" of {result.dataset}" if result.dataset else ""
    if result.partial:
        what = f"partial score{of} by {protocol}, not official"
    elif result.dataset is None:
        what = f"score by the definition of {protocol}, of recordings that are not the challenge's"
    else:
        what = f"official score by {protocol}{of}"
    echo(f"{what}: {score}", bold=True, fg="red" if result.partial else None)


def _table(
    protocol: str, evaluation: Evaluation, result: FolderEvaluation, metrics: Collection[str] = tuple(METRICS)
) -> Table:
    """Rows for sections (and domains, where they have rows of their own), their means, and the means of all."""
    sections = {
        (name, section): result_rows(part)
        for name, machine in evaluation.machines.items()
        for section, part in machine.sections.items()
    }
    columns = list(dict.fromkeys(column for rows in sections.values() for row in rows for column in row))
    columns = [column for column in columns if column.partition("_")[0] in metrics]
    by_domain = any(len(rows) > 1 for rows in sections.values())
    rows: list[Sequence[Any]] = []

    def add(
        machine: str, section: str, domain: str, values: dict[str, float], score: str = "", style: str = ""
    ) -> None:
        cells = [machine, section, *[domain] * by_domain, *(percent(values.get(column)) for column in columns)]
        rows.append([*styled(cells, style), text(score, "bold")])

    for name, machine in evaluation.machines.items():
        for section, part in machine.sections.items():
            for domain, values in zip(part.domains, sections[name, section], strict=False):
                add(name, section, domain, values)
        ends = (result.intervals.machines.get(name, {}) if result.intervals else {}).get("official_score")
        score = percent(machine.official_score) + (f" [{interval(ends)}]" if ends else "")
        kind = "mean" if machine.auc_source is None else "harmonic mean"
        means = machine.means and (machine.means.arithmetic if machine.auc_source is None else machine.means.harmonic)
        add("", kind, "", dict(means or {}), score, "cyan")
    if evaluation.means:
        add("all", "arithmetic mean", "", evaluation.means.arithmetic, style="bold")
        add("all", "harmonic mean", "", evaluation.means.harmonic, style="bold")
    heads = [_heading(column) for column in columns]
    section = "id" if protocol == "dcase2020" else "section"
    return table(["machine", section, *["domain"] * by_domain, *(f">{head}" for head in heads), ">score"], rows)


def _heading(column: str) -> str:
    metric, _, domain = column.partition("_")
    return METRICS[metric] + (f"\n{domain}" if domain else "")
