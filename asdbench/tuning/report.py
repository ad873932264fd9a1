"""The page of a study: its results, what they are worth, and Optuna's plots; one file that needs no network."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.files import write_text
from asdbench.core.texts import percent
from asdbench.harness.learned import Learned, learned
from asdbench.harness.record import read_record
from asdbench.pages import asset, render_page, template
from asdbench.pages.figures import drawing_style, figure_svg
from asdbench.tuning.record import REPORT_FILE, RUNS, Objective, StudyRecord, TrialRecord
from asdbench.tuning.selection import is_blind, optimism, score_of_machine

if TYPE_CHECKING:
    from markupsafe import Markup
    from optuna import Study

NAMES: Mapping[Objective, str] = {"score": "official score", "seconds": "seconds", "parameters": "parameters"}
MOST = 6  # parameters that are drawn, the most important first
MARKER = "asdbench study report"
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Plot:
    """One plot, or why there is none."""

    name: str  # identifies it on the page
    title: str  # heading
    svgs: "tuple[Markup, ...]"  # one picture or several
    caption: str  # how to read it, or why it is left out


def settled_study(study: "Study", numbers: Collection[int]) -> "Study":
    """A study in memory with the trials of these numbers, in their order."""
    import optuna

    copy = optuna.create_study(study_name=study.study_name, directions=study.directions)
    copy.add_trials([trial for trial in study.get_trials(deepcopy=False) if trial.number in numbers])
    return copy


def draw_plots(study: "Study", record: StudyRecord) -> list[Plot]:
    """Every plot of a study whose trials have ended, in the order of the page.

    Equal trials and an equal record give equal bytes.
    """
    from optuna.trial import TrialState
    from optuna.visualization import matplotlib as draw

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    values = {name: [repr(trial.params[name]) for trial in done if name in trial.params] for name in record.space}
    ranked = sorted(values, key=lambda name: (-record.importances.get(name, 0.0), name))
    varied = [name for name in ranked if len(set(values[name])) > 1]
    everywhere = [name for name in varied if len(values[name]) == len(done)][:MOST]
    several = len(record.objectives) > 1
    target: dict[str, Any] = {"target": lambda trial: trial.values[0], "target_name": NAMES["score"]} if several else {}
    has_steps = not several and any(len(trial.intermediate_values) > 1 for trial in done)

    def each(wanted: bool, plot: Callable[..., Any], **options: Any) -> list[Callable[[], Any]]:
        return [lambda: plot(study, **options)] if wanted and len(done) > 1 else []

    pair = len(everywhere) > 1
    names = [NAMES[objective] for objective in record.objectives]
    plots = [
        ("history", "How the score rose", "Each point is a done trial; the line is the best until then.",
         each(True, draw.plot_optimization_history, **target)),
        ("pareto", "Pareto front", "No trial beats those on the front in all objectives at once.",
         each(True, draw.plot_pareto_front, target_names=names)),
        ("slice", "One parameter at a time", "Score of each done trial against the value that it tried.",
         [drawer for name in varied[:MOST] for drawer in each(True, draw.plot_slice, params=[name], **target)]),
        ("contour", "The two that matter most", "Between the trials, which are the dots, the surface is a guess.",
         each(pair, draw.plot_contour, params=everywhere[:2], **target)),
        ("parallel", "All parameters together", "A line is a trial, from its score through its parameters.",
         each(pair, draw.plot_parallel_coordinate, params=everywhere, **target)),
        ("intermediate", "On the way, and pruning", "Score over what a trial had done; 1000 is one machine type.",
         each(has_steps, draw.plot_intermediate_values)),
        ("edf", "How scores are spread", "The part of the done trials that score so much or less.",
         each(True, draw.plot_edf, **target)),
        ("timeline", "When trials ran", "Bars that overlap were done at the same time.",
         each(True, draw.plot_timeline)),
    ]  # fmt: skip
    return [_plot(study.study_name, *plot) for plot in plots if plot[0] != "pareto" or len(names) in (2, 3)]


def _plot(study: str, name: str, title: str, caption: str, drawers: list[Callable[[], Any]]) -> Plot:
    import matplotlib.pyplot as plt

    svgs = []
    try:
        with drawing_style(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Optuna's plots are experimental, and such
            for draw in drawers:
                axes = draw()
                figure = (axes.flat[0] if hasattr(axes, "flat") else axes).figure
                figure.set_size_inches(7, 4)
                svgs.append(figure_svg(figure, f"{title} ({study})"))
                plt.close(figure)
    except (ValueError, ArithmeticError, LookupError, RuntimeError) as error:  # of the libraries, not of the study
        return Plot(name, title, (), f"It could not be drawn: {type(error).__name__}: {error}")
    return Plot(name, title, tuple(svgs), caption if svgs else "The done trials are too few or too alike for it.")


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
        trials=ranked(list(by_number.values())),
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


def ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Done trials from the best on, then the pruned and the failed ones by number."""

    def place(trial: TrialRecord) -> tuple[int, float, int]:
        state = ("done", "pruned", "failed").index(trial.state)
        return state, -trial.values[0] if trial.values else 0.0, trial.number

    return sorted(trials, key=place)


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
