import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from asdbench.tuning.selection import importances

SPACE = {
    "ml.alpha": FloatDistribution(0, 1),
    "knn.k": IntDistribution(1, 20),
    "net.lr": FloatDistribution(1e-5, 1e-1, log=True),
}


def study_of(value, trials=60, space=SPACE, directions=("maximize",)):
    """Random parameters; ``value`` tells what they come to."""
    rng = np.random.default_rng(3)
    study = optuna.create_study(directions=list(directions))
    for _ in range(trials):
        params = {}
        for name, own in space.items():
            if isinstance(own, CategoricalDistribution):
                params[name] = own.choices[rng.integers(len(own.choices))]
            elif isinstance(own, IntDistribution):
                params[name] = int(rng.integers(own.low, own.high + 1))
            else:
                low, high = (np.log(own.low), np.log(own.high)) if own.log else (own.low, own.high)
                drawn = rng.uniform(low, high)
                params[name] = float(np.clip(np.exp(drawn) if own.log else drawn, own.low, own.high))
        shares = value(params)
        distributions = {name: space[name] for name in params}
        values = list(shares) if isinstance(shares, tuple) else [shares]
        study.add_trial(create_trial(params=params, distributions=distributions, values=values))
    return study


def test_the_parts_are_those_of_an_additive_function():
    """f = 4 a + b with a and b uniform on [0, 1]: their variances are 16 to 1."""
    study = study_of(lambda p: 4 * p["ml.alpha"] + (p["knn.k"] - 1) / 19, 90)
    shares = importances(study)
    assert list(shares) == ["ml.alpha", "knn.k", "net.lr"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["ml.alpha"] == pytest.approx(16 / 17, abs=0.04)
    assert shares["knn.k"] == pytest.approx(1 / 17, abs=0.04)
    assert shares["net.lr"] < 0.02


def test_a_logarithmic_parameter_counts_over_its_decades():
    """Half of the drawn values lie below 1e-3, which is one percent of the range: a linear scale would miss them."""
    shares = importances(study_of(lambda p: float(p["net.lr"] < 1e-3) + 0.5 * p["ml.alpha"], 70))
    assert shares["net.lr"] == pytest.approx(0.25 / (0.25 + 0.25 / 12), abs=0.08)


def test_equal_trials_give_equal_numbers_and_pruned_or_failed_ones_do_not_count():
    study = study_of(lambda p: p["ml.alpha"] + 0.3 * p["knn.k"], 30)
    first = importances(study)
    for state in (TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING):
        study.add_trial(
            create_trial(params={"ml.alpha": 0.5}, distributions={"ml.alpha": SPACE["ml.alpha"]}, state=state)
        )
    assert importances(study) == first
    assert importances(study_of(lambda p: p["ml.alpha"] + 0.3 * p["knn.k"], 30)) == first


def test_parameters_of_one_choice_alone_are_reported_too():
    space = {"scorer": CategoricalDistribution(["knn", "ml"]), **SPACE}

    def value(params):
        params.pop("ml.alpha" if params["scorer"] == "knn" else "knn.k")
        return params["knn.k"] / 20 if params["scorer"] == "knn" else 0.5 + 0.001 * params["ml.alpha"]

    shares = importances(study_of(value, 80, space))
    assert set(shares) == set(space)
    assert next(iter(shares)) == "knn.k"
    assert shares["ml.alpha"] < 0.05
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("value", "trials"),
    [(lambda p: p["ml.alpha"], 3), (lambda p: 0.5, 10), (lambda p: 0.5, 0)],
)
def test_too_little_to_go_by_gives_nothing(value, trials):
    assert importances(study_of(value, trials)) == {}


def test_what_was_not_varied_explains_nothing():
    single = {"ml.alpha": FloatDistribution(0, 1), "net.depth": CategoricalDistribution([2])}
    assert importances(study_of(lambda p: p["ml.alpha"], 10, single)) == {"ml.alpha": 1.0, "net.depth": 0.0}
    assert importances(study_of(lambda p: 0.5, 9, {"a.b": CategoricalDistribution([1])})) == {}


def test_a_range_that_grew_and_the_first_of_two_objectives():
    study = study_of(lambda p: (p["ml.alpha"], p["knn.k"]), 40, directions=("maximize", "minimize"))
    wider = FloatDistribution(-1, 3)
    study.add_trial(
        create_trial(
            params={"ml.alpha": 2.5, "knn.k": 3},
            distributions={"ml.alpha": wider, "knn.k": SPACE["knn.k"]},
            values=[2.5, 3],
        )
    )
    assert next(iter(importances(study))) == "ml.alpha"


def test_nothing_is_printed(capfd):
    study = study_of(lambda p: p["ml.alpha"], 5)
    capfd.readouterr()
    importances(study)
    assert capfd.readouterr() == ("", "")
