"""What the trials of a study come to: the best, the default, leave-one-machine-out, the Pareto front.

Pure functions over trial records. Ties go to the trial with the lower number, so that the order in which trials end
decides nothing.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from asdbench.protocols import DEFINITIONS
from asdbench.tuning.record import LeaveOneOut, Selection, TrialRecord

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

BLIND_SAMPLERS = ("random", "grid", "qmc")  # the others propose by the scores that came before
FEWEST = 4  # done trials; of fewer, a forest says nothing
SEED = 0


def done(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that have values, by number."""
    return sorted((trial for trial in trials if trial.state == "done"), key=lambda trial: trial.number)


def best(trials: Sequence[TrialRecord]) -> Selection | None:
    """The trial with the best official score, which is the first objective; None while no trial is done."""
    trial = max(done(trials), key=lambda trial: trial.values[0], default=None)
    return None if trial is None else Selection(score=trial.values[0], trial=trial.number)


def default(trials: Sequence[TrialRecord], defaults: Mapping[str, Any]) -> Selection | None:
    """The done trial that changed nothing; None where there is none.

    ``defaults`` may have more than a trial: the parameters of a scorer that it did not choose.
    """
    for trial in done(trials):
        if all(key in defaults and _same(value, defaults[key]) for key, value in trial.params.items()):
            return Selection(score=trial.values[0], trial=trial.number)
    return None


def leave_one_out(trials: Sequence[TrialRecord], machines: Sequence[str], protocol: str) -> LeaveOneOut | None:
    """What choosing among the trials is worth on a machine type that had no say in the choice.

    For each machine type the trial with the best official score over all the others is chosen, mean over seeds; its
    terms on the one left out stand for that machine type in the official score over all of them, mean over seeds. The
    machine type had a say in which trials there are, unless ``is_blind``.

    Returns:
        None with fewer than two machine types, or while no trial is done.
    """
    candidates = done(trials)
    if len(machines) < 2 or not candidates:
        return None
    chosen = {
        left_out: max(candidates, key=lambda trial: score_over(trial, set(machines) - {left_out}, protocol))
        for left_out in sorted(machines)
    }
    of_dataset = DEFINITIONS[protocol].of_dataset
    scores = [
        float(of_dataset({machine: trial.parts[seed][machine].terms for machine, trial in chosen.items()}))
        for seed in candidates[0].parts
    ]
    return LeaveOneOut(
        score=sum(scores) / len(scores), chosen={machine: trial.number for machine, trial in chosen.items()}
    )


def is_blind(sampler: str, pruner: str) -> bool:
    """Whether no score decided which trials there are, so that leave-one-out is blind to the machine type left out."""
    return sampler in BLIND_SAMPLERS and pruner == "none"


def score_over(trial: TrialRecord, machines: Collection[str], protocol: str) -> float:
    """The official score of a trial over some machine types, as if the data set had no others; mean over seeds."""
    of_dataset = DEFINITIONS[protocol].of_dataset
    scores = [
        float(of_dataset({machine: scores[machine].terms for machine in sorted(machines)}))
        for scores in trial.parts.values()
    ]
    return sum(scores) / len(scores)


def score_of_machine(trial: TrialRecord, machine: str) -> float | None:
    """The official score of one machine type, mean over the seeds with which it was scored; None where it was not."""
    scores = [scores[machine].official_score for scores in trial.parts.values() if machine in scores]
    return fmean(scores) if scores else None


def optimism(best: Selection | None, left_out: LeaveOneOut | None) -> float | None:
    """By how much the best score flatters: it was chosen on the very machine types that it is reported on."""
    return None if best is None or left_out is None else best.score - left_out.score


def _same(value: object, other: object) -> bool:
    """Equal, and True is not 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def importances(study: "Study") -> dict[str, float]:
    """Part of the first objective's variance that each parameter explains, the largest first; they sum to one.

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
    trials = [trial for trial in done if math.isfinite(trial.values[0])]
    values = [trial.values[0] for trial in trials]
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
