"""Samplers and pruners."""

import optuna
import pytest

from asdbench.core.errors import UsageError
from asdbench.tuning.spec import FIRST_TRIALS, PRUNERS, SAMPLERS, make_pruner, make_sampler, require_method
from asdbench.tuning.storage import quiet_optuna


@pytest.fixture(autouse=True)
def quiet():
    with quiet_optuna():
        yield


def drawn(name, trials):
    """What a study draws, each trial with a sampler of its own."""
    study = optuna.create_study(direction="maximize")
    values, ordinal = [], 0
    while ordinal < trials:
        study.sampler = make_sampler(name, 7, ordinal)
        trial = study.ask()
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_categorical("y", ["a", "b", "c"])
        values.append((x, y))
        study.tell(trial, -((x - 0.3) ** 2) - (y != "b"))
        ordinal += 1
    return values


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "gp")) for name in SAMPLERS if name != "grid"]
)
def test_what_is_drawn_depends_on_the_seed_and_the_trials_before_alone(name):
    values = drawn(name, 11)  # of which the first ten are random
    assert values == drawn(name, 11)
    assert len({x for x, _ in values}) == 11


def trial_with(study, values, end=None):
    trial = study.ask()
    for step, value in values.items():
        trial.report(value, step)
    if end is not None:
        study.tell(trial, end)
    return trial


def test_median_compares_values_of_the_same_step_only():
    study = optuna.create_study(direction="maximize", pruner=make_pruner("median", 3, 1000, False))
    for _ in range(FIRST_TRIALS):
        trial_with(study, {1000: 0.9, 2000: 0.6, 3000: 0.6}, 0.6)
    # The first machine type is easy for all; Optuna's own pruner would keep this trial for its 0.9.
    bad = trial_with(study, {1000: 0.9, 2000: 0.5})
    assert bad.should_prune()
    assert not trial_with(study, {1000: 0.9, 2000: 0.6}).should_prune(), "the median itself stays"
    assert not trial_with(study, {1000: 0.1}).should_prune(), "less than half of the machine types"
    assert not trial_with(study, {1000: 0.1, 2500: 0.1}).should_prune(), "a step that no other has"


def test_median_waits_for_the_first_trials_and_looks_into_a_shared_training():
    study = optuna.create_study(direction="maximize", pruner=make_pruner("median", 3, 1000, True))
    for _ in range(FIRST_TRIALS - 1):
        trial_with(study, {250: 0.5, 3000: 0.6}, 0.6)
    assert not trial_with(study, {250: 0.1}).should_prune()
    trial_with(study, {250: 0.5, 3000: 0.6}, 0.6)
    assert trial_with(study, {250: 0.1}).should_prune()
    assert trial_with(study, {250: float("nan")}).should_prune()


@pytest.mark.parametrize("name", PRUNERS)
def test_no_pruner_gives_up_the_best(name):
    study = optuna.create_study(direction="maximize", pruner=make_pruner(name, 4, 1000, False))
    for number in range(40):
        score = 0.5 + 0.01 * (number * 7 % 40)
        trial = study.ask()
        for step in (1000, 2000, 3000, 4000):
            trial.report(score, step)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, score)
    assert study.best_value == pytest.approx(0.89)
    pruned = [one for one in study.trials if one.state == optuna.trial.TrialState.PRUNED]
    assert bool(pruned) == (name != "none")


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"--sampler tpee: there is none\. Did you mean 'tpe'\? Accepted: tpe, random"):
        require_method("--sampler", "tpee", SAMPLERS)
