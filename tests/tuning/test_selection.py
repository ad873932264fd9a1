import numpy as np
import pytest
from made_studies import made_trial, parts_of, plain_part, section

from asdbench.protocols import evaluate
from asdbench.tuning import selection


def test_the_best_is_by_the_first_objective_and_the_lower_number_of_equals():
    trials = [
        made_trial(7, values=[0.6, 3.0]),
        made_trial(2, values=[0.6, 9.0]),
        made_trial(1, values=[0.5, 1.0]),
        made_trial(0, "failed"),
        made_trial(3, "pruned"),
    ]
    assert selection.best(trials) == selection.Selection(score=0.6, trial=2)
    assert selection.best([made_trial(0, "failed")]) is None


def test_the_default_is_the_trial_that_changed_nothing():
    defaults = {"scorer": "knn", "knn.n_neighbors": 5, "gmm.n_components": 2, "extractor.lr": 1e-3, "knn.whiten": True}
    trials = [
        made_trial(0, values=[0.7], params={"scorer": "gmm", "gmm.n_components": 2, "extractor.lr": 1e-3}),
        made_trial(1, "failed", params={"scorer": "knn", "knn.n_neighbors": 5, "extractor.lr": 1e-3}),
        made_trial(2, values=[0.6], params={"scorer": "knn", "knn.n_neighbors": 5, "knn.whiten": 1}),
        made_trial(3, values=[0.5], params={"scorer": "knn", "knn.n_neighbors": 5, "extractor.lr": 0.001}),
        made_trial(4, values=[0.9], params={"scorer": "knn", "knn.n_neighbors": 5, "extractor.lr": 1e-3}),
    ]
    assert selection.default(trials, defaults) == selection.Selection(score=0.5, trial=3)
    assert selection.default(trials[:3], defaults) is None


def brute_force(protocol, sections_of, machines, seeds):
    """Leave-one-out from the sections themselves: every subset evaluated anew."""
    chosen = {}
    for left_out in machines:
        means = []
        for number, by_seed in enumerate(sections_of):
            scores = []
            for seed in seeds:
                others = {key: rows for key, rows in by_seed[seed].items() if key[0] != left_out}
                scores.append(evaluate(protocol, others).official_score)
            means.append((np.mean(scores), -number))
        chosen[left_out] = -max(means)[1]
    scores = []
    for seed in seeds:
        mixed = {}
        for machine, number in chosen.items():
            mixed |= {key: rows for key, rows in sections_of[number][seed].items() if key[0] == machine}
        scores.append(evaluate(protocol, mixed).official_score)
    return float(np.mean(scores)), chosen


@pytest.mark.parametrize("protocol", ["dcase2020", "dcase2021", "dcase2022"])
def test_leave_one_out_is_that_of_evaluating_every_subset(protocol):
    """Machine types have one or two sections, so that their terms weigh differently."""
    rng = np.random.default_rng(5)
    names = [("valve", "00"), ("fan", "00"), ("fan", "01"), ("slider", "00")]
    machines, seeds = ["valve", "fan", "slider"], [3, 8]
    sections_of, trials = [], []
    for number in range(3):
        gaps = dict(zip(machines, np.roll([0.3, 1.5, 1.5], number), strict=True))  # each is poor at one of them
        by_seed = {seed: {name: section(rng, gaps[name[0]]) for name in names} for seed in seeds}
        sections_of.append(by_seed)
        scores = [evaluate(protocol, by_seed[seed]).official_score for seed in seeds]
        parts = {seed: parts_of(protocol, by_seed[seed]) for seed in seeds}
        trials.append(made_trial(number, values=[float(np.mean(scores))], parts=parts))
        assert selection.score_over(trials[-1], machines, protocol) == pytest.approx(trials[-1].values[0], abs=1e-15)
    score, chosen = brute_force(protocol, sections_of, machines, seeds)
    rng.shuffle(trials)
    result = selection.leave_one_out([*trials, made_trial(9, "pruned")], machines, protocol)
    assert result.chosen == chosen
    assert len(set(chosen.values())) > 1
    assert result.score == pytest.approx(score, abs=1e-15)


def test_luck_on_one_machine_type_is_optimism():
    """Trial 1 shines on the fan alone; left out, the fan is scored by the trial that the others would choose."""
    values = {0: {"fan": 0.5, "valve": 0.62, "slider": 0.62}, 1: {"fan": 0.95, "valve": 0.6, "slider": 0.6}}
    trials = []
    for number, by_machine in values.items():
        parts = {machine: plain_part(value) for machine, value in by_machine.items()}
        own = made_trial(number, parts={0: parts}, values=[3 / sum(1 / value for value in by_machine.values())])
        trials.append(own)
    best = selection.best(trials)
    left_out = selection.leave_one_out(trials, ["fan", "slider", "valve"], "dcase2023")
    assert best.trial == 1
    assert left_out.chosen == {"fan": 0, "slider": 1, "valve": 1}
    assert left_out.score == pytest.approx(3 / (1 / 0.5 + 2 / 0.6), abs=1e-15)
    assert selection.optimism(best, left_out) == pytest.approx(best.score - left_out.score)
    assert selection.optimism(best, left_out) > 0.1


def test_one_machine_type_or_no_trial_has_no_leave_one_out():
    only = [made_trial(0, values=[0.5], parts={0: {"fan": plain_part(0.5)}})]
    assert selection.leave_one_out(only, ["fan"], "dcase2023") is None
    assert selection.leave_one_out([made_trial(0, "failed")], ["fan", "valve"], "dcase2023") is None
    assert selection.optimism(None, None) is None


def test_one_trial_has_no_choice_and_no_optimism():
    parts = {"fan": plain_part(0.5), "valve": plain_part(0.75)}
    only = [made_trial(4, values=[0.6], parts={0: parts})]
    result = selection.leave_one_out(only, ["fan", "valve"], "dcase2023")
    assert result.chosen == {"fan": 4, "valve": 4}
    assert result.score == pytest.approx(0.6, abs=1e-15)


@pytest.mark.parametrize(
    ("sampler", "pruner", "blind"),
    [("random", "none", True), ("grid", "none", True), ("qmc", "none", True), ("tpe", "none", False),
     ("cmaes", "none", False), ("random", "median", False)],
)  # fmt: skip
def test_leave_one_out_is_blind_where_no_score_decided_which_trials_there_are(sampler, pruner, blind):
    assert selection.is_blind(sampler, pruner) is blind
