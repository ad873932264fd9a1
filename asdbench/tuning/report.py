"""The page of a study: what it found, what that is worth, and Optuna's plots; one file that needs no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.files import write_text
from asdbench.harness.learned import Learned, learned
from asdbench.harness.record import read_record
from asdbench.pages import asset, render_page, template
from asdbench.tuning.plots import draw_plots, ended_trials
from asdbench.tuning.record import REPORT_FILE, RUNS, StudyRecord, TrialRecord
from asdbench.tuning.selection import is_blind, optimism

if TYPE_CHECKING:
    from optuna import Study

MARKER = "asdbench study report"
TEMPLATES = Path(__file__).parent / "templates"
_ORDER = ("done", "pruned", "failed")


@dataclass(frozen=True)
class ParameterRow:
    """One parameter: what it was tuned over, its best value beside the one without tuning."""

    name: str
    best: str
    default: str
    space: str
    importance: float | None


@dataclass(frozen=True)
class MachineRow:
    """One machine type: its score by the default, the best trial, and the trial that the others chose for it."""

    machine: str
    default: float | None
    best: float | None
    left_out: float | None
    chosen: int | None


def write_study_report(study: "Study", record: StudyRecord, trials: Sequence[TrialRecord], folder: Path) -> Path:
    """Write ``report.html`` whole into the study's folder and return its path.

    Equal ended trials and an equal record give equal bytes.
    """
    path = folder / REPORT_FILE
    best = next((trial for trial in trials if record.best and trial.number == record.best.trial), None)
    write_text(path, render_study_report(study, record, trials, learned_of(best, folder)))
    return path


def learned_of(trial: TrialRecord | None, folder: Path) -> Learned | None:
    """What the trainings of a trial's runs learned, as far as their records lie in the study's folder."""
    records = [read_record(folder / RUNS / name) for name in trial.runs] if trial else []
    return learned(*(record for record in records if record is not None))


def render_study_report(
    study: "Study", record: StudyRecord, trials: Sequence[TrialRecord], best_learned: Learned | None = None
) -> str:
    """The page as one HTML document."""
    ended = sorted(trials, key=lambda trial: trial.number)
    by_number = {trial.number: trial for trial in ended}
    best = None if record.best is None else by_number[record.best.trial]
    body = template("study.html", TEMPLATES).render(
        record=record,
        best=best,
        best_learned=best_learned,
        blind=is_blind(record.sampler, record.pruner),
        gap=optimism(record.best, record.leave_one_out),
        parameters=parameter_rows(record, best),
        machines=machine_rows(record, by_number),
        trials=ranked(ended, record),
        names=[name for name in record.space if any(name in trial.params for trial in ended)],
        plots=draw_plots(ended_trials(study, by_number), record),
        percent=percent,
        value=value_text,
        seconds=seconds_text,
        objective=objective_text,
        share=lambda part: f"{100 * part:.0f}",
    )
    styles = [asset(TEMPLATES, "study.css")]
    return render_page(f"Study {record.name}", body, styles=styles, marker=MARKER)


def parameter_rows(record: StudyRecord, best: TrialRecord | None) -> list[ParameterRow]:
    """All parameters of the space, the most important first."""
    names = sorted(record.space, key=lambda name: -record.importances.get(name, 0.0))
    chosen = {} if best is None else best.params
    return [
        ParameterRow(
            name,
            value_text(chosen[name]) if name in chosen else "",
            value_text(record.defaults[name]) if name in record.defaults else "",
            space_text(record.space[name]),
            record.importances.get(name),
        )
        for name in names
    ]


def machine_rows(record: StudyRecord, trials: dict[int, TrialRecord]) -> list[MachineRow]:
    """One row for each machine type."""
    chosen = {} if record.leave_one_out is None else record.leave_one_out.chosen

    def score(number: int | None, machine: str) -> float | None:
        if number is None or number not in trials:
            return None
        found = [parts[machine].official_score for parts in trials[number].parts.values() if machine in parts]
        return sum(found) / len(found) if found else None

    default = None if record.default is None else record.default.trial
    best = None if record.best is None else record.best.trial
    return [
        MachineRow(
            machine,
            score(default, machine),
            score(best, machine),
            score(chosen.get(machine), machine),
            chosen.get(machine),
        )
        for machine in record.machines
    ]


def ranked(trials: Sequence[TrialRecord], record: StudyRecord) -> list[TrialRecord]:
    """Done trials from the best on, then the pruned and the failed ones by number."""
    upward = 1 if record.objectives[0] == "score" else -1

    def place(trial: TrialRecord) -> tuple[int, float, int]:
        return _ORDER.index(trial.state), -upward * trial.values[0] if trial.values else 0.0, trial.number

    return sorted(trials, key=place)


def percent(value: float | None, digits: int = 2) -> str:
    """A fraction in percent, without the sign; nothing for None."""
    return "" if value is None else f"{100 * value:.{digits}f}"


def value_text(value: object) -> str:
    """A parameter's value for people: numbers to four digits."""
    if isinstance(value, bool | None):
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def space_text(space: dict[str, Any]) -> str:
    """What a parameter is drawn from: ``1 to 30``, ``0.02 to 0.5, logarithmic``, or its choices."""
    if "choices" in space:
        return ", ".join(value_text(choice) for choice in space["choices"])
    text = f"{value_text(space.get('low'))} to {value_text(space.get('high'))}"
    text += ", logarithmic" if space.get("log") else ""
    return text + (f", step {value_text(space['step'])}" if space.get("step") not in (None, 1) else "")


def objective_text(trial: TrialRecord, record: StudyRecord, place: int) -> str:
    """A trial's value of one objective: a score in percent, seconds, or a number of parameters."""
    if place >= len(trial.values):
        return ""
    value = trial.values[place]
    match record.objectives[place]:
        case "score":
            return percent(value)
        case "seconds":
            return seconds_text(value)
        case _:
            return f"{value:,.0f}".replace(",", " ")


def seconds_text(seconds: float) -> str:
    """``0.42 s``, ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
