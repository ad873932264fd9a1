"""Optuna's plots of a study, as pictures for its page."""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asdbench.pages.figures import drawing_style, figure_svg
from asdbench.tuning.record import Objective, StudyRecord

if TYPE_CHECKING:
    from markupsafe import Markup
    from optuna import Study

NAMES: Mapping[Objective, str] = {"score": "official score", "seconds": "seconds", "parameters": "parameters"}
MOST = 6  # parameters that are drawn, the most important first


@dataclass(frozen=True)
class Plot:
    """One plot, or why there is none.

    Attributes:
        name: identifies it on the page.
        title: heading.
        svgs: one picture or several.
        caption: how to read it, or why it is left out.
    """

    name: str
    title: str
    svgs: "tuple[Markup, ...]"
    caption: str


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
