"""Optuna's plots of a study, as pictures of asdbench's pages: their ink and colours, light and dark."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asdbench.pages.figures import BAD, BLUE, GREEN, INK, MUTED, ORANGE, figure_svg
from asdbench.tuning.conduct import UNIT
from asdbench.tuning.importance import importances
from asdbench.tuning.plot_style import drawing, in_percent, page_colour, plain_ticks, ramp, restyled, whole_numbers
from asdbench.tuning.record import Objective, StudyRecord

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure
    from optuna import Study

    from asdbench.tuning.finished import Finished

NAMES: Mapping[Objective, str] = {"score": "official score (%)", "seconds": "seconds", "parameters": "parameters"}
SURFACE = 6  # different pairs of values that a surface is drawn through
MOST = 8  # parameters that are drawn, the most important first


@dataclass(frozen=True)
class Plot:
    """One plot, or in words why there is none.

    Attributes:
        name: a word for its place on the page.
        title: heading.
        svgs: one picture or several.
        words: how to read it, or why it is left out.
    """

    name: str
    title: str
    svgs: "tuple[Markup, ...]"
    words: str


class NothingToDrawError(Exception):
    """The trials do not hold what a plot needs; the message says what."""


def draw_plots(study: "Study", record: StudyRecord) -> list[Plot]:
    """Every plot of the study, in the order of the page. Trials that still run are left out.

    Equal finished trials and an equal record give equal bytes.
    """
    from asdbench.tuning.finished import Finished

    finished = Finished(study)
    drawers: list[tuple[str, str, Callable[[Finished, StudyRecord], tuple[list[tuple[Any, str]], str]]]] = [
        ("history", "How the score rose", _history),
        *([("pareto", "Pareto front", _pareto)] if len(record.objectives) > 1 else []),
        ("importance", "What matters", _importance),
        ("slice", "One parameter at a time", _slices),
        ("contour", "The two that matter most", _contour),
        ("parallel", "All parameters together", _parallel),
        ("intermediate", "On the way, and pruning", _intermediate),
        ("edf", "How scores are spread", _edf),
        ("timeline", "When trials ran", _timeline),
    ]
    plots = []
    for name, title, draw in drawers:
        try:
            with drawing():
                drawn, words = draw(finished, record)
                svgs = tuple(figure_svg(figure, label) for figure, label in drawn)
        except NothingToDrawError as reason:
            svgs, words = (), str(reason)
        except (ValueError, ArithmeticError, LookupError, RuntimeError) as error:  # of the libraries, not of the study
            svgs, words = (), f"It could not be drawn: {type(error).__name__}: {error}"
        plots.append(Plot(name, title, svgs, words))
    return plots


def _history(study: "Finished", record: StudyRecord) -> tuple[list[tuple["Figure", str]], str]:
    from optuna.visualization.matplotlib import plot_optimization_history

    _require(study, 2, "It takes two done trials to show a course.")
    axes: Any = plot_optimization_history(study, **_target(record))
    figure = restyled(axes, 520, 300)
    lines = axes.get_lines()
    for points in list(axes.collections):
        if not len(points.get_offsets()):
            points.remove()  # of trials that break constraints, which ours have none of
            continue
        points.set_sizes([26])
        points.set_label("trial")
    for line in lines:
        line.set(color=ORANGE, alpha=1, label="best so far", drawstyle="steps-post")
    if record.default is not None:
        axes.axhline(record.default.score, color=INK, linestyle=(0, (1, 2)), linewidth=1.4, label="default")
    if record.leave_one_out is not None:
        left_out = record.leave_one_out.score
        axes.axhline(left_out, color=GREEN, linestyle=(0, (5, 2)), linewidth=1.4, label="leave-one-out")
    in_percent(axes.yaxis)
    axes.set(xlabel="trial", ylabel=NAMES[record.objectives[0]])
    whole_numbers(axes.xaxis)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4, handlelength=1.6, columnspacing=1.2)
    words = "Each point is a done trial."
    if lines:
        words += " The line is the best until then: where it is flat for long, more trials promise little."
    return [(figure, "Score of every trial, and the best until then")], words


def _pareto(study: "Finished", record: StudyRecord) -> tuple[list[tuple["Figure", str]], str]:
    from optuna.visualization.matplotlib import plot_pareto_front

    _require(study, 1, "No trial is done.")
    drawn = []
    for other in range(1, len(record.objectives)):
        names = [NAMES[record.objectives[0]], NAMES[record.objectives[other]]]
        axes: Any = plot_pareto_front(study.of_objectives(0, other), target_names=names)
        figure = restyled(axes, 440, 300)
        front = axes.collections[-1]
        front.set(color=ORANGE, sizes=[36], label="on the front")
        for rest in axes.collections[:-1]:
            rest.set(color=BLUE, sizes=[18], alpha=0.6, label="beaten by another")
        in_percent(axes.xaxis)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
        drawn.append((figure, f"{names[0]} against {names[1]}"))
    words = "No trial beats those on the front in both objectives at once. Best is to the right and at the bottom."
    return drawn, words


def _importance(study: "Finished", record: StudyRecord) -> tuple[list[tuple["Figure", str]], str]:
    from optuna.importance import BaseImportanceEvaluator
    from optuna.visualization.matplotlib import plot_param_importances

    found = record.importances or importances(study)
    if not found:
        raise NothingToDrawError("It takes four done trials with different scores to tell what matters.")

    class Known(BaseImportanceEvaluator):
        """Hands over what is in the record, so that picture and record agree."""

        def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
            return dict(list(found.items())[:MOST])

    axes: Any = plot_param_importances(study, evaluator=Known(), **_target(record))
    figure = restyled(axes, 460, 70 + 30 * len(axes.get_yticks()), grid="x")
    for bar in axes.patches:
        bar.set(facecolor=BLUE, height=0.6)
    for text in list(axes.texts):
        text.remove()
    for place, bar in enumerate(axes.patches):
        axes.annotate(
            f"{100 * bar.get_width():.0f}", (bar.get_width(), place), (4, 0), textcoords="offset points", va="center"
        )
    axes.get_legend().remove()
    axes.set(xlabel="part of the score's variance (%)", ylabel="")
    axes.margins(x=0.12)
    in_percent(axes.xaxis)
    words = "Functional ANOVA over the done trials: how much of the score's variance each parameter explains by itself."
    return [(figure, "Importance of the parameters")], words


def _slices(study: "Finished", record: StudyRecord) -> tuple[list[tuple["Figure", str]], str]:
    from optuna.visualization.matplotlib import plot_slice

    _require(study, 2, "It takes two done trials to compare.")
    drawn = []
    for name in _varied(study, record):
        axes: Any = plot_slice(study, params=[name], **_target(record))
        figure = restyled(axes, 300, 240)
        ramp(figure)
        for points in axes.collections:
            points.set(edgecolors=MUTED, linewidths=0.6, sizes=[30])
        in_percent(axes.yaxis)
        axes.set(xlabel=name, ylabel=NAMES[record.objectives[0]])
        plain_ticks(axes)
        drawn.append((figure, f"Score against {name}"))
    return drawn, "Score of each done trial against the value that it tried; early trials are yellow, late ones blue."


def _contour(study: "Finished", record: StudyRecord) -> tuple[list[tuple["Figure", str]], str]:
    from optuna.visualization.matplotlib import plot_contour

    names = _varied(study, record)
    pairs = [[a, b] for i, a in enumerate(names) for b in names[i + 1 :] if _spans(study, a, b)]
    if not pairs:
        raise NothingToDrawError("It takes two parameters that varied together, in six different pairs of values.")
    axes: Any = plot_contour(study.having(*pairs[0]), params=pairs[0], **_target(record))
    figure = restyled(axes, 460, 340, grid="")
    ramp(figure, keep_bar=True)
    for points in axes.collections[-2:]:
        points.set(facecolor="white", edgecolors="black", linewidths=0.8, sizes=[16])
    bar = next(own for own in figure.axes if own is not axes)
    in_percent(bar.yaxis)
    bar.set_ylabel(NAMES[record.objectives[0]])
    for lines in axes.collections[:1]:
        lines.set(edgecolor=MUTED, linewidths=0.3)
    plain_ticks(axes)
    words = "Between the trials, which are the dots, the surface is interpolated; far from them it is a guess."
    return [(figure, f"Score over {pairs[0][0]} and {pairs[0][1]}")], words


def _spans(study: "Finished", one: str, other: str) -> bool:
    """Whether the trials that have both parameters tried several values of each, and enough pairs."""
    having = study.having(one, other)
    return min(having.together(one), having.together(other)) > 1 and having.together(one, other) >= SURFACE


def _parallel(study: "Finished", record: StudyRecord) -> tuple[list[tuple["Figure", str]], str]:
    from optuna.visualization.matplotlib import plot_parallel_coordinate

    names = _varied(study, record)
    if len(names) < 2:
        raise NothingToDrawError("It takes two parameters that varied.")
    axes: Any = plot_parallel_coordinate(study, params=names, **_target(record))
    figure = restyled(axes, 150 + 110 * len(names), 340, grid="")
    ramp(figure)
    for own in figure.axes:
        own.spines["right"].set(visible=True, color=MUTED)
        own.tick_params(labelsize=10)
        plain_ticks(own)
    for lines in axes.collections:
        lines.set(linewidths=1.4, alpha=0.85)
    in_percent(axes.yaxis)
    axes.set_xticks(axes.get_xticks(), [NAMES[record.objectives[0]], *sorted(names)], rotation=20, ha="right")
    words = "A line is a trial, from its score through its parameters; low scores are yellow, high ones blue."
    return [(figure, "Parameters and score of every trial")], words


def _intermediate(study: "Finished", record: StudyRecord) -> tuple[list[tuple["Figure", str]], str]:
    from matplotlib.ticker import MultipleLocator
    from optuna.trial import TrialState
    from optuna.visualization.matplotlib import plot_intermediate_values

    states = {f"Trial{trial.number}": trial.state for trial in study.trials if trial.intermediate_values}
    if not any(len(trial.intermediate_values) > 1 for trial in study.trials):
        raise NothingToDrawError("No trial told more than one score on its way.")
    axes: Any = plot_intermediate_values(study)
    figure = restyled(axes, 520, 300)
    looks: dict[Any, dict[str, Any]] = {
        TrialState.COMPLETE: {"color": BLUE, "alpha": 0.45, "linewidth": 1.2},
        TrialState.PRUNED: {"color": ORANGE, "alpha": 0.9, "linewidth": 1.2, "linestyle": (0, (4, 1.5))},
        TrialState.FAIL: {"color": BAD, "alpha": 0.9, "linewidth": 1.2, "linestyle": (0, (1, 1.5))},
    }
    best = None if record.best is None else f"Trial{record.best.trial}"
    told: dict[str, Any] = {}
    for line in axes.get_lines():
        number = str(line.get_label())
        line.set(**looks[states[number]], marker="o", markersize=3)
        words = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed"}[states[number].name]
        if number == best:
            line.set(color=INK, alpha=1, linewidth=2, zorder=5)
            words = "best"
        told.setdefault(words, line)
    in_percent(axes.yaxis)
    axes.xaxis.set_major_locator(MultipleLocator(UNIT))
    axes.xaxis.set_major_formatter(lambda step, _: f"{step / UNIT:g}")
    several = len(record.seeds) > 1
    axes.set(xlabel=f"machine types{' and seeds' if several else ''} done", ylabel=NAMES["score"])
    axes.legend(told.values(), told.keys(), loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4)
    words = (
        "Score over what a trial had done so far. A pruned trial stops where it fell behind the others at that step."
    )
    return [(figure, "Scores of the trials on their way")], words


def _edf(study: "Finished", record: StudyRecord) -> tuple[list[tuple["Figure", str]], str]:
    from optuna.visualization.matplotlib import plot_edf

    _require(study, 2, "It takes two done trials with different scores.")
    if len({trial.values[0] for trial in study.done}) < 2:
        raise NothingToDrawError("All done trials have the same score.")
    axes: Any = plot_edf(study, **_target(record))
    figure = restyled(axes, 400, 260)
    for line in axes.get_lines():
        line.set(color=BLUE, alpha=1, drawstyle="steps-post")
    in_percent(axes.xaxis)
    in_percent(axes.yaxis)
    axes.set(xlabel=NAMES[record.objectives[0]], ylabel="trials (%)")
    return [(figure, "Part of the trials up to each score")], "The part of the done trials that score so much or less."


def _timeline(study: "Finished", record: StudyRecord) -> tuple[list[tuple["Figure", str]], str]:
    from matplotlib.ticker import MaxNLocator
    from optuna.visualization.matplotlib import plot_timeline

    if not study.trials:
        raise NothingToDrawError("No trial has ended.")
    if any(trial.datetime_start is None or trial.datetime_complete is None for trial in study.trials):
        raise NothingToDrawError("Some trials do not tell when they ran.")
    axes: Any = plot_timeline(study)
    figure = restyled(axes, 520, max(160, min(420, 70 + 9 * len(study.trials))), grid="x")
    states = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed"}
    handles = list(axes.get_legend().legend_handles)
    names = [states[text.get_text()] for text in axes.get_legend().get_texts()]
    for patch in [*axes.patches, *handles]:
        patch.set_facecolor(page_colour(patch.get_facecolor()))
        patch.set_edgecolor("none")
    axes.legend(handles, names, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set(xlabel="time of day", ylabel="trial")
    axes.invert_yaxis()
    return [(figure, "When each trial ran")], "Bars that overlap were done by several workers at once."


def _require(study: "Finished", trials: int, otherwise: str) -> None:
    if len(study.done) < trials:
        raise NothingToDrawError(otherwise)


def _varied(study: "Finished", record: StudyRecord) -> list[str]:
    """The parameters that took several values, by importance, then by name; the first ``MOST``."""
    values: dict[str, set[str]] = {}
    for trial in study.done:
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(repr(value))
    names = sorted(
        (name for name, seen in values.items() if len(seen) > 1), key=lambda n: (-record.importances.get(n, 0), n)
    )
    if not names:
        raise NothingToDrawError("No parameter took several values in the done trials.")
    return names[:MOST]


def _target(record: StudyRecord) -> dict[str, Any]:
    """Optuna wants to be told which of several objectives to draw; of one it knows the direction."""
    if len(record.objectives) == 1:
        return {}
    return {"target": lambda trial: trial.values[0], "target_name": NAMES[record.objectives[0]]}
