"""Whether a run learned, in words: the same for tables, pages and JSON."""

import pytest
from made_runs import made_run, pair_accuracy

from asdbench.extractors.learning import Learning
from asdbench.harness.learned import learned, learning_as_json, learning_columns, mark_of, network_text
from asdbench.harness.record import load_record

GOOD, BAD = pair_accuracy(0.86), pair_accuracy(0.51)


@pytest.fixture
def record(tmp_path):
    def make(learning=None, seed=0, **changed):
        return load_record(made_run(tmp_path / str(seed), seed=seed, learning=learning, **changed))

    return make


def test_one_network_that_learned(record):
    found = learned(record(GOOD))
    assert found.text == "learned: pair accuracy 86 % (chance 50, untrained 52)"
    assert found.short == "86 (52), 1 of 1 seed"
    assert found.mark == ""


def test_one_network_that_did_not(record):
    found = learned(record(BAD))
    assert found.text == "did not learn: pair accuracy 51 % (chance 50, untrained 52)"
    assert found.short == "51 (52), 0 of 1 seed"
    assert found.mark == "did not learn"


def test_better_by_less_than_the_margin_is_said(record):
    found = learned(record(pair_accuracy(0.55)))
    assert found.text == "did not learn: pair accuracy 55 % (chance 50, untrained 52, within a margin of 5)"


@pytest.mark.parametrize("parameters", [0, 1000])
def test_nothing_trained_and_old_records_have_no_figure(record, parameters):
    one = record(parameters=parameters)
    assert learned(one) is None
    assert mark_of(one) == ""
    assert learning_as_json(learned(one)) == {"learned": None, "learning": None}
    assert set(learning_columns(learned(one)).values()) == {None}
    assert learned() is None


def test_of_several_networks_those_that_did_not_learn_are_named(record):
    one = record({"fan": BAD, "gearbox": GOOD, "valve": GOOD})
    assert mark_of(one) == "fan did not learn"
    mean = round((86 + 86 + 51) / 3)
    assert learned(one).text == (
        f"fan did not learn: pair accuracy {mean} % (chance 50, untrained 52), mean of 3 networks"
    )
    assert mark_of(one, machine="fan") == "did not learn"
    assert mark_of(one, machine="valve") == ""
    assert mark_of(record(dict.fromkeys(("fan", "gearbox", "valve"), BAD), seed=1)) == "did not learn"


def test_a_network_without_a_figure_is_not_said_to_have_failed(record):
    one = record({"fan": BAD, "gearbox": None, "valve": None})
    assert mark_of(one) == "fan did not learn"
    assert learned(one).figures[0].networks == 1
    assert learned(one, machine="gearbox") is None


def test_many_are_counted(record):
    machines = ("a", "b", "c", "d", "e")
    networks = {name: GOOD if name == "e" else BAD for name in machines}
    assert mark_of(record(networks, machines=machines)) == "4 of 5 networks did not learn"


def test_over_seeds(record):
    seeds = [record(GOOD if seed else BAD, seed=seed) for seed in range(5)]
    found = learned(*seeds)
    assert found.short == "79 (52), 4 of 5 seeds"
    assert found.text == (
        "did not learn in 1 of 5 seeds: pair accuracy 79 % (chance 50, untrained 52), mean of 5 seeds"
    )
    assert learned(*seeds[1:]).text == "learned: pair accuracy 86 % (chance 50, untrained 52), mean of 4 seeds"
    other = record({"fan": GOOD, "gearbox": BAD, "valve": GOOD}, seed=9)
    assert mark_of(seeds[0], seeds[1], other) == "some networks did not learn in 2 of 3 seeds"
    assert learned(seeds[0], record(seed=8)).runs == 1, "a seed without a figure is not counted"


def test_figures_of_differing_kinds_are_not_mixed(record):
    shares = Learning("partner found", 0.6, None, 0.2, 0.05, "60 clips under unseen crops")
    one = record(GOOD)
    both = one.model_copy(update={"training": [*one.training, one.training[0].model_copy(update={"learning": shares})]})
    assert learned(both).text == (
        "learned: pair accuracy 86 % (chance 50, untrained 52); partner found 60 % (untrained 20)"
    )
    assert learned(both).short == "86 (52) / 60 (20), 1 of 1 seed"
    assert learning_columns(learned(both))["learned"] is True
    assert learning_columns(learned(both))["learning_value"] is None
    failing = one.training[0].model_copy(update={"learning": BAD})
    both = one.model_copy(update={"training": [*one.training, failing]})
    assert mark_of(both) == "1 of 2 networks did not learn", "both are of all machine types, so none is named"


def test_columns_and_json_hold_fractions(record):
    found = learned(record(BAD))
    assert learning_columns(found) == {
        "learned": False,
        "learning_figure": "pair accuracy",
        "learning_value": 0.51,
        "learning_chance": 0.5,
        "learning_untrained": 0.52,
    }
    assert learning_as_json(found)["learned"] is False
    assert learning_as_json(found)["learning"]["figures"][0]["value"] == 0.51


def test_a_network_says_what_it_was_measured_on():
    assert network_text(BAD) == (
        "did not learn: pair accuracy 51 % (chance 50, untrained 52), "
        "measured on 280 pairs of 28 clips held out of training"
    )
