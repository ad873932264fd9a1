"""Table and JSON of evaluated score files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from asdbench.cli.console import Console, table_console
from asdbench.protocols.evaluation import result_rows

if TYPE_CHECKING:
    from asdbench.protocols import Difference, MachineResult
    from asdbench.protocols.results import Interval, Means, SectionResult
    from asdbench.score_files.evaluation import FolderEvaluation
    from asdbench.score_files.files import Problem

SHOWN = 8  # problems of one file that are shown; all are in the JSON
METRICS = {"auc": "AUC", "pauc": "pAUC", "precision": "precision", "recall": "recall", "f1": "F1"}


def as_json_text(
    protocol: str, found: "FolderEvaluation", notes: Sequence[str], difference: "Difference | None"
) -> str:
    """The JSON object of ``asdbench evaluate``; scores are fractions."""
    intervals, evaluation = found.intervals, found.evaluation
    machines: dict[str, Any] = {}
    for name, machine in evaluation.machines.items() if evaluation else ():
        own: dict[str, Any] = machine.model_dump()
        if intervals is not None and name in intervals.machines:
            own["ci95"] = {column: list(pair) for column, pair in intervals.machines[name].items()}
            for section, terms in intervals.sections[name].items():
                own["sections"][section]["ci95"] = {term: list(pair) for term, pair in terms.items()}
        machines[name] = own
    content: dict[str, Any] = {
        "protocol": protocol,
        "dataset": found.dataset,
        "official_score": found.official_score,
        "ci95": list(intervals.official_score) if intervals and intervals.official_score else None,
        "ci95_method": intervals.method if intervals else None,
        "partial": found.partial,
        "official": found.official_score is not None and not found.partial and found.dataset is not None,
        "machines": machines,
        "means": evaluation.means.model_dump() if evaluation and evaluation.means else None,
        "problems": [problem.model_dump() for problem in found.problems],
        "notes": list(notes),
    }
    if difference is not None:
        content["difference"] = {
            "official_score": difference.difference,
            "ci95": list(difference.ci95),
            "probability_of_being_better": difference.probability,
        }
    return json.dumps(content, indent=2)


def print_evaluation(
    folder: Path,
    protocol: str,
    found: "FolderEvaluation",
    notes: Sequence[str],
    against: Path | None,
    difference: "Difference | None",
) -> None:
    """Problems, one table, and the official score."""
    console = table_console()
    _print_problems(console, found.problems)
    if found.evaluation is not None:
        console.print(_table(protocol, found))
        console.print()
    for note in notes:
        console.print(Text(f"note: {note}", "yellow"))
    if found.intervals is not None and found.intervals.replicates == 0:
        console.print(Text(f"note: the interval is {found.intervals.method}.", "yellow"))
    console.print(_closing(protocol, found), soft_wrap=True)
    if difference is not None:
        low, high = difference.ci95
        text = (
            f"{folder} less {against}: {100 * difference.difference:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}], "
            f"better in {100 * difference.probability:.1f} % of the resampled test sets"
        )
        console.print(text, soft_wrap=True, highlight=False, markup=False)
    if found.official_score is None:
        console.print(
            Text("Next: mend what is listed above, or --partial for a score of what is there", "dim"), soft_wrap=True
        )
        if found.dataset:
            console.print(Text("Recordings of your own, not those of the challenge: --split own", "dim"))


def _print_problems(console: Console, problems: Sequence["Problem"]) -> None:
    shown: dict[tuple[str | None, str], int] = {}
    for problem in problems:
        key = (problem.file, problem.kind)
        shown[key] = shown.get(key, 0) + 1
        if shown[key] <= SHOWN:
            style = "yellow" if problem.harmless else "red"
            console.print(Text(f"{'note' if problem.harmless else problem.kind}: {problem}", style), soft_wrap=True)
    for (file, kind), count in shown.items():
        if count > SHOWN:
            text = f"{kind}: {file or 'in all'}: {count - SHOWN} more (all of them: --json)"
            console.print(Text(text, "red"), soft_wrap=True)
    if problems:
        console.print()


def _closing(protocol: str, found: "FolderEvaluation") -> Text:
    where = f" of {found.dataset}" if found.dataset else ""
    if found.official_score is None:
        whole = found.dataset or "the data set"
        return Text.assemble(("partial", "bold red"), f": no official score by {protocol}, which needs all of {whole}")
    interval = found.intervals.official_score if found.intervals else None
    # The official half-width is near 1e-5, so it needs its digits.
    digits = 4 if found.intervals and found.intervals.replicates == 0 else 2
    text = f"{100 * found.official_score:.2f} %" + (f" [{_pair(interval, digits)}]" if interval else "")
    if found.partial:
        return Text.assemble(("partial", "bold red"), f" score{where} by {protocol}, not official: ", (text, "bold"))
    if found.dataset is None:
        return Text.assemble(
            f"score by the definition of {protocol}, of recordings that no card describes: ", (text, "bold")
        )
    return Text.assemble(f"official score by {protocol}{where}: ", (text, "bold"))


def _table(protocol: str, found: "FolderEvaluation") -> Table:
    evaluation = found.evaluation
    assert evaluation is not None
    columns = list(
        dict.fromkeys(
            column
            for machine in evaluation.machines.values()
            for part in machine.sections.values()
            for row in result_rows(part)
            for column in row
        )
    )
    by_domain = any(len(result_rows(part)) > 1 for m in evaluation.machines.values() for part in m.sections.values())
    bootstrapped = found.intervals is not None and bool(found.intervals.machines)
    table = Table(
        title=f"{protocol}, percent" + (", [95 % interval]" if bootstrapped else ""),
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 1),
    )
    table.add_column("machine", no_wrap=True)
    table.add_column("id" if protocol == "dcase2020" else "section", no_wrap=True)
    if by_domain:
        table.add_column("domain")
    for column in columns:
        table.add_column(_heading(column), justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True, style="bold")
    for name, machine in evaluation.machines.items():
        for section, part in machine.sections.items():
            _add_section(table, name, section, part, columns, by_domain)
        _add_means(table, machine, columns, by_domain, _machine_score(found, name, machine))
    _add_total(table, evaluation.means, columns, by_domain)
    return table


def _add_section(
    table: Table, machine: str, section: str, part: "SectionResult", columns: Sequence[str], by_domain: bool
) -> None:
    for domain, row in zip(part.domains, result_rows(part), strict=False):
        head = [machine, section, *([domain] if by_domain else [])]
        table.add_row(*head, *(_percent(row.get(column)) for column in columns), "")


def _add_means(table: Table, machine: "MachineResult", columns: Sequence[str], by_domain: bool, score: str) -> None:
    means = machine.means
    values = dict(means.harmonic if machine.auc_source is not None else means.arithmetic) if means else {}
    kind = "harmonic mean" if machine.auc_source is not None else "mean"
    head = ["", kind, *([""] if by_domain else [])]
    table.add_row(*head, *(_percent(values.get(column)) for column in columns), score, style="cyan", end_section=True)


def _add_total(table: Table, means: "Means | None", columns: Sequence[str], by_domain: bool) -> None:
    for kind, values in (("arithmetic mean", means.arithmetic), ("harmonic mean", means.harmonic)) if means else ():
        head = ["all", kind, *([""] if by_domain else [])]
        table.add_row(*head, *(_percent(values.get(column)) for column in columns), "", style="bold")


def _machine_score(found: "FolderEvaluation", name: str, machine: "MachineResult") -> str:
    text = f"{100 * machine.official_score:.2f}"
    own = found.intervals.machines.get(name, {}) if found.intervals else {}
    return f"{text} [{_pair(own['official_score'], 1)}]" if own else text


def _heading(column: str) -> str:
    metric, _, domain = column.partition("_")
    return METRICS[metric] + (f"\n{domain}" if domain else "")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


def _pair(interval: "Interval", digits: int) -> str:
    return ", ".join(f"{100 * value:.{digits}f}" for value in interval)
