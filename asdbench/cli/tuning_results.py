"""What ``tune`` ends with: tables for people, one JSON object for programs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from asdbench.cli.console import Console
from asdbench.harness.learned import learning_as_json
from asdbench.tuning.record import BEST_FILE, REPORT_FILE, STUDY_FILE, TRIALS, StudyRecord, TrialRecord
from asdbench.tuning.report import learned_of
from asdbench.tuning.study import STUDIES, Tuning


def studies_as_json(records: Sequence[StudyRecord], out: Path) -> str:
    """Of each study its record, the best trial's parameters, and where the files are."""
    found = []
    for record in records:
        folder = out / STUDIES / record.name
        best = trial_of(record, folder)
        files = {"best_config": BEST_FILE, "report": REPORT_FILE, "record": STUDY_FILE}
        found.append(
            {
                **record.model_dump(mode="json"),
                "best_params": best.params if best else None,
                "best_values": best.values if best else None,
                **learning_as_json(learned_of(best, folder)),
                **{key: str(folder / name) if (folder / name).is_file() else None for key, name in files.items()},
            }
        )
    return json.dumps({"studies": found}, indent=2)


def trial_of(record: StudyRecord, folder: Path, number: int | None = None) -> TrialRecord | None:
    """A trial of the study, the best one unless told."""
    if number is None:
        if record.best is None:
            return None
        number = record.best.trial
    path = folder / TRIALS / f"{number:04d}.json"
    return TrialRecord.model_validate_json(path.read_bytes()) if path.is_file() else None


def print_studies(records: Sequence[StudyRecord], tunings: Sequence[Tuning]) -> None:
    """The tables of each study, and the next command."""
    console = Console()
    for record, tuning in zip(records, tunings, strict=True):
        _print_study(console, record, tuning.folder)
    done = [tuning for record, tuning in zip(records, tunings, strict=True) if record.best]
    for tuning in done:
        what = f"of a {tuning.machines[0]} " if tuning.asked.per_machine else ""
        words = f"--dataset OTHER   (what it is worth on recordings {what}that it was not tuned on)"
        line = f"Next: asdbench run --config {tuning.folder / BEST_FILE} {words}"
        console.print(Text(line, "dim"), soft_wrap=True)


def _print_study(console: Console, record: StudyRecord, folder: Path) -> None:
    best = trial_of(record, folder)
    counts = ", ".join(f"{count} {state}" for state, count in record.counts.items() if count)
    console.print()
    console.print(Text.assemble((record.name, "bold"), f"   {counts}"), soft_wrap=True)
    if best is None:
        console.print("No trial is done, so there is no best one.", style="red")
        return
    console.print(_scores(record, best))
    found = learned_of(best, folder)
    if found is not None:
        console.print(Text(f"best: {found.text}", "yellow" if found.mark else "dim"), soft_wrap=True)
    if best.params:
        console.print(_parameters(record, best))
    if record.pareto:
        console.print(_front(record, folder))
    if not record.admissible:
        console.print(
            f"NOT ADMISSIBLE under the first-shot rule: tuned for {', '.join(record.machines)} alone.", style="yellow"
        )
    for name in (BEST_FILE, REPORT_FILE):
        if (folder / name).is_file():
            console.print(Text(str(folder / name)), soft_wrap=True)


def _scores(record: StudyRecord, best: TrialRecord) -> Table:
    """Default, best and leave-one-out, in percent."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("official score")
    table.add_column("%", justify="right")
    table.add_column("trial", justify="right")
    table.add_column("")
    if record.default is not None:
        table.add_row("default", _percent(record.default.score), str(record.default.trial), "")
    gain = ""
    if record.default is not None:
        gain = f"{100 * (best.values[0] - record.default.score):+.2f} over the default"
    table.add_row(Text("best", "bold"), Text(_percent(best.values[0]), "bold"), str(best.number), gain)
    if record.leave_one_out is not None:
        loo = record.leave_one_out
        table.add_row("leave-one-out", _percent(loo.score), "", "each machine type by the best on the others")
    return table


def _parameters(record: StudyRecord, best: TrialRecord) -> Table:
    """All that was tuned, so that the importances, rounded, are those of 100 %."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column, justify in (("parameter", "left"), ("best", "right"), ("default", "right"), ("importance", "right")):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for name in sorted(record.space, key=lambda name: -record.importances.get(name, 0.0)):
        share = record.importances.get(name)
        default = record.defaults.get(name)
        value = Text("-")  # of a component that was not chosen
        if name in best.params:
            value = Text(_shown(best.params[name]), "" if best.params[name] == default else "bold")
        table.add_row(Text(name), value, _shown(default), "-" if share is None else f"{100 * share:.0f} %")
    return table


def _front(record: StudyRecord, folder: Path) -> Table:
    """The trials of the Pareto front."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Pareto front: trial", justify="right")
    for objective in record.objectives:
        table.add_column({"score": "score %"}.get(objective, objective), justify="right")
    found = [trial_of(record, folder, number) for number in record.pareto]
    for trial in sorted((one for one in found if one), key=lambda one: -one.values[0]):
        table.add_row(str(trial.number), _percent(trial.values[0]), *(f"{value:.4g}" for value in trial.values[1:]))
    return table


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _percent(score: float) -> str:
    return f"{100 * score:.2f}"
