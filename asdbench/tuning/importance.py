"""How much each parameter matters: functional ANOVA over the done trials of a study, by Optuna.

F. Hutter, H. Hoos, K. Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

FEWEST = 4  # done trials; of fewer, a forest says nothing
SEED = 0


def importances(study: "Study", objective: int = 0) -> dict[str, float]:
    """Part of an objective's variance that each parameter explains, the largest first; they sum to one.

    Measured on the scale that the parameter is drawn on, logarithmic or not. Where a parameter belongs to one choice
    of another (those of a scorer), trials without it stand at one value that has no meaning, as in the paper's
    software. Pruned and failed trials do not count. Equal trials give equal numbers.

    Returns:
        Nothing where fewer than four trials are done, all came to the same value, or nothing was varied.
    """
    trials = _done(study, objective)
    values = [trial.values[objective] for trial in trials]
    if len(trials) < FEWEST or max(values) - min(values) <= 1e-12 * max(1.0, abs(max(values))):
        return {}
    space = _space(trials)
    varied = [name for name in space if len({repr(trial.params.get(name)) for trial in trials}) > 1]
    if not varied:
        return {}
    found = _fanova({name: space[name] for name in varied}, trials, values)
    ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return dict(ranked) | {name: 0.0 for name in sorted(space) if name not in varied}


def _done(study: "Study", objective: int) -> "list[FrozenTrial]":
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in trials if math.isfinite(trial.values[objective])]


def _space(trials: "Sequence[FrozenTrial]") -> "dict[str, BaseDistribution]":
    """What each parameter was drawn from in any of the trials, its bounds as wide as they ever were."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    seen: dict[str, list[BaseDistribution]] = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            seen.setdefault(name, []).append(distribution)
    space: dict[str, BaseDistribution] = {}
    for name, own in sorted(seen.items()):
        first = own[0]
        if isinstance(first, CategoricalDistribution):
            choices = {repr(choice): choice for one in own if isinstance(one, type(first)) for choice in one.choices}
            space[name] = CategoricalDistribution(list(choices.values()))
        elif isinstance(first, FloatDistribution | IntDistribution):
            numeric = [one for one in own if isinstance(one, FloatDistribution | IntDistribution)]
            low, high = min(one.low for one in numeric), max(one.high for one in numeric)
            logarithmic = first.log
            space[name] = FloatDistribution(*((math.log(low), math.log(high)) if logarithmic else (low, high)))
    return space


def _fanova(
    space: "Mapping[str, BaseDistribution]", trials: "Sequence[FrozenTrial]", values: Sequence[float]
) -> dict[str, float]:
    """FANOVA of a copy of the trials in which each has every parameter."""
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    from asdbench.tuning.storage import quiet_optuna

    known = [{name: _place(trial, name) for name in space if name in trial.params} for trial in trials]
    stand_in = {name: next(own[name] for own in known if name in own) for name in space}
    with quiet_optuna():
        copy = optuna.create_study()
    for own, value in zip(known, values, strict=True):
        copy.add_trial(optuna.create_trial(params=stand_in | own, distributions=dict(space), value=value))
    return dict(get_param_importances(copy, evaluator=FanovaImportanceEvaluator(seed=SEED)))


def _place(trial: "FrozenTrial", name: str) -> Any:
    """The parameter's value on the scale that it was drawn on."""
    value = trial.params[name]
    return math.log(value) if getattr(trial.distributions[name], "log", False) else value
