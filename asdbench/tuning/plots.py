"""Optuna's plots of a study, on asdbench's page."""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
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
    """One plot, or in words why there is none.

    Attributes:
        name: a word for its place on the page.
        title: heading.
        svgs: one picture or several.
        caption: how to read it, or why it is left out.
    """

    name: str
    title: str
    svgs: "tuple[Markup, ...]"
    caption: str


def ended_trials(study: "Study", numbers: Collection[int]) -> "Study":
    """A study in memory that holds the trials of these numbers, in their order."""
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

    varied, of_some = _varied(study, record), _varied(study, record, everywhere=False)
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    on_the_way = len(record.objectives) == 1 and any(len(trial.intermediate_values) > 1 for trial in done)
    target: dict[str, Any] = {}
    if len(record.objectives) > 1:  # of one objective Optuna knows the direction
        target = {"target": lambda trial: trial.values[0], "target_name": NAMES["score"]}
    names = [NAMES[objective] for objective in record.objectives]
    pareto = len(record.objectives) in (2, 3)
    wanted: list[tuple[str, str, str, list[Callable[[], Any]]]] = [
        ("history", "How the score rose", "Each point is a done trial; the line is the best until then.",
         [lambda: draw.plot_optimization_history(study, **target)]),
        ("pareto", "Pareto front", "No trial beats those on the front in all objectives at once.",
         [lambda: draw.plot_pareto_front(study, target_names=names)] if pareto else []),
        ("slice", "One parameter at a time", "Score of each done trial against the value that it tried.",
         [partial(draw.plot_slice, study, params=[name], **target) for name in of_some]),
        ("contour", "The two that matter most", "Between the trials, which are the dots, the surface is a guess.",
         [lambda: draw.plot_contour(study, params=varied[:2], **target)] if len(varied) > 1 else []),
        ("parallel", "All parameters together", "A line is a trial, from its score through its parameters.",
         [lambda: draw.plot_parallel_coordinate(study, params=varied, **target)] if len(varied) > 1 else []),
        ("intermediate", "On the way, and pruning", "Score over what a trial had done; 1000 is one machine type.",
         [lambda: draw.plot_intermediate_values(study)] if on_the_way else []),
        ("edf", "How scores are spread", "The part of the done trials that score so much or less.",
         [lambda: draw.plot_edf(study, **target)]),
        ("timeline", "When trials ran", "Bars that overlap were done at the same time.",
         [lambda: draw.plot_timeline(study)]),
    ]  # fmt: skip
    return [_plot(study, *one) for one in wanted if one[0] != "pareto" or pareto]


def _plot(study: "Study", name: str, title: str, caption: str, drawers: list[Callable[[], Any]]) -> Plot:
    import matplotlib.pyplot as plt
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(done) < 2 or not drawers:
        return Plot(name, title, (), "The done trials are too few or too alike for it.")
    svgs = []
    try:
        with drawing_style(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Optuna's plots are experimental, and such
            for draw in drawers:
                axes = draw()
                figure = (axes.flat[0] if hasattr(axes, "flat") else axes).figure
                figure.set_size_inches(7, 4)
                svgs.append(figure_svg(figure, f"{title} ({study.study_name})"))
                plt.close(figure)
    except (ValueError, ArithmeticError, LookupError, RuntimeError) as error:  # of the libraries, not of the study
        return Plot(name, title, (), f"It could not be drawn: {type(error).__name__}: {error}")
    return Plot(name, title, tuple(svgs), caption)


def _varied(study: "Study", record: StudyRecord, *, everywhere: bool = True) -> list[str]:
    """The parameters that took several values, by importance, then by name; the first ``MOST``.

    ``everywhere`` leaves out those that some done trials do not have.
    """
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    names = {name for trial in done for name in trial.params}
    values = {name: [repr(trial.params[name]) for trial in done if name in trial.params] for name in names}
    varied = [
        name for name in names if len(set(values[name])) > 1 and (len(values[name]) == len(done) or not everywhere)
    ]
    return sorted(varied, key=lambda name: (-record.importances.get(name, 0.0), name))[:MOST]
