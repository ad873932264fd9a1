"""How much each parameter matters: functional ANOVA over the done trials of a study, by Optuna.

F. Hutter, H. Hoos, K. Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

FEWEST = 4  # done trials; of fewer, a forest says nothing
SEED = 0


def importances(study: "Study", objective: int = 0) -> dict[str, float]:
    """Part of an objective's variance that each parameter explains, the largest first; they sum to one.

    Optuna's evaluator takes the parameters that every trial has, on a linear scale. Here a logarithmic one is measured
    on its logarithm, and of a parameter that belongs to one choice of another (those of a scorer), trials without it
    stand at one value that has no meaning, as in the paper's software. Equal trials give equal numbers.

    Returns:
        Nothing where fewer than four trials are done, all came to the same value, or nothing was varied.
    """
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    from asdbench.tuning.storage import quiet_optuna

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    trials = [trial for trial in done if math.isfinite(trial.values[objective])]
    values = [trial.values[objective] for trial in trials]
    if len(trials) < FEWEST or max(values) - min(values) <= 1e-12 * max(1.0, abs(max(values))):
        return {}
    drawn = {name: distribution for trial in trials for name, distribution in sorted(trial.distributions.items())}
    varied = {name for name in drawn if len({repr(trial.params.get(name)) for trial in trials}) > 1}
    if not varied:
        return {}
    space = {name: _linear(drawn[name]) for name in sorted(varied)}
    params = [{name: _place(trial, name) for name in space if name in trial.params} for trial in trials]
    elsewhere = {name: next(known[name] for known in params if name in known) for name in space}
    with quiet_optuna():
        copy = optuna.create_study()
    for known, value in zip(params, values, strict=True):
        copy.add_trial(optuna.create_trial(params=elsewhere | known, distributions=space, value=value))
    shares = get_param_importances(copy, evaluator=FanovaImportanceEvaluator(seed=SEED))
    ranked = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))
    return dict(ranked) | {name: 0.0 for name in sorted(drawn) if name not in varied}


def _linear(distribution: Any) -> Any:
    """A distribution of numbers as one on a linear scale without steps."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(distribution, CategoricalDistribution):
        return distribution
    low, high = distribution.low, distribution.high
    return FloatDistribution(*((math.log(low), math.log(high)) if distribution.log else (low, high)))


def _place(trial: "FrozenTrial", name: str) -> Any:
    """The parameter's value on that scale."""
    value = trial.params[name]
    return math.log(value) if getattr(trial.distributions[name], "log", False) else value
