"""The page of a study: its results, what they are worth, and Optuna's plots; one file that needs no network."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.files import write_text
from asdbench.harness.learned import Learned, learned
from asdbench.harness.record import read_record
from asdbench.pages import asset, render_page, template
from asdbench.tuning.plots import draw_plots, settled_study
from asdbench.tuning.record import REPORT_FILE, RUNS, StudyRecord, TrialRecord
from asdbench.tuning.selection import is_blind, optimism, score_of_machine

if TYPE_CHECKING:
    from optuna import Study

MARKER = "asdbench study report"
TEMPLATES = Path(__file__).parent / "templates"


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
    by_number = {trial.number: trial for trial in sorted(trials, key=lambda trial: trial.number)}
    body = template("study.html", TEMPLATES).render(
        record=record,
        best=by_number[record.best.trial] if record.best else None,
        best_learned=best_learned,
        blind=is_blind(record.sampler, record.pruner),
        gap=optimism(record.best, record.leave_one_out),
        parameters=sorted(record.space, key=lambda name: -record.importances.get(name, 0.0)),
        machine_score=partial(_machine_score, by_number),
        trials=ranked(list(by_number.values()), record),
        names=[name for name in record.space if any(name in trial.params for trial in trials)],
        plots=draw_plots(settled_study(study, by_number), record),
        percent=percent,
        value=value_text,
        space=space_text,
        seconds=seconds_text,
        objective=objective_text,
    )
    styles = [asset(TEMPLATES, "study.css")]
    return render_page(f"Study {record.name}", body, styles=styles, marker=MARKER)


def _machine_score(trials: dict[int, TrialRecord], number: int | None, machine: str) -> float | None:
    return score_of_machine(trials[number], machine) if number in trials else None


def ranked(trials: Sequence[TrialRecord], record: StudyRecord) -> list[TrialRecord]:
    """Done trials from the best on, then the pruned and the failed ones by number."""
    upward = 1 if record.objectives[0] == "score" else -1

    def place(trial: TrialRecord) -> tuple[int, float, int]:
        state = ("done", "pruned", "failed").index(trial.state)
        return state, -upward * trial.values[0] if trial.values else 0.0, trial.number

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
    return f"{value:,.0f}".replace(",", " ")


def seconds_text(seconds: float) -> str:
    """``0.42 s``, ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
