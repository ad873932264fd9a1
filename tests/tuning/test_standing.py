"""Which trials of a study count, and what becomes of those that were lost; no recordings."""

import datetime
import json
import os
import subprocess
import sys

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState

from asdbench.registry.cards import Tune
from asdbench.tuning.space import Dimension, Space
from asdbench.tuning.standing import (
    LOSSES,
    PLACE,
    RECORD,
    RETRIES,
    RETRY_OF,
    command,
    give_back,
    is_fresh,
    is_gone,
    is_surplus,
    ordinal_of,
    recover,
    settled,
)
from asdbench.tuning.storage import GRACE_S, open_storage, quiet_optuna

NUMBERS = {"low": 1, "high": 9, "log": False}
K, LEAF = (
    Dimension("knn", name, "int", Tune.model_construct(**NUMBERS, step=None, choices=None), 1, 3)
    for name in ("k", "leaf")
)


class TwoNumbers(Space):
    """Both are there always."""

    def within(self, chosen):
        return list(self.dimensions.values())


SPACE = TwoNumbers({}, {"knn.k": K, "knn.leaf": LEAF}, ())


@pytest.fixture(params=["sqlite:///{}/a.db", "journal:{}/a.log"], ids=["sqlite", "journal"])
def study(request, tmp_path):
    with quiet_optuna():
        yield optuna.create_study(storage=open_storage(request.param.format(tmp_path)), direction="maximize")


@pytest.fixture(scope="module")
def dead_place():
    """That of a command of this machine which has ended."""
    code = (
        "import json; from asdbench.tuning.standing import command\nwith command() as place: print(json.dumps(place))"
    )
    return json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def ask(study, place=None, suggest=True):
    trial = study.ask()
    if place is not None:
        trial.set_user_attr(PLACE, place)
    if suggest:
        SPACE.suggest(trial)
    return trial


def waiting(study):
    return [one for one in study.trials if one.state == TrialState.WAITING]


def test_a_command_is_gone_when_its_process_or_its_call_has_ended_and_not_when_it_is_elsewhere(dead_place):
    assert is_gone(dead_place)
    assert not is_gone({**dead_place, "machine": "another"})
    with command() as place:
        assert not is_gone(place)
        assert is_gone({**place, "began": "before the number was given again"})
        assert place["pid"] == os.getpid()
    assert is_gone(place), "a notebook goes on after a call that failed"


def test_a_lost_trial_is_queued_again_once_with_its_parameters(study, dead_place):
    lost = ask(study, dead_place)
    with command() as place:
        ask(study, place)
        for _ in range(2):
            recover(study, SPACE)
    (again,) = waiting(study)
    assert again.user_attrs[RETRY_OF] == [lost.number]
    assert SPACE.suggest(study.ask()) == lost.params
    assert not settled(study.trials)
    assert [is_fresh(one) for one in study.trials] == [True, True, False]
    assert ordinal_of(study.trials[2], study.trials) == 0


def test_a_trial_that_was_lost_while_it_drew_its_parameters_draws_all_of_them_anew(study, dead_place):
    trial = ask(study, dead_place, suggest=False)
    K.suggest(trial)
    recover(study, SPACE)
    assert waiting(study)[0].system_attrs["fixed_params"] == {}


def test_what_was_lost_between_its_end_and_the_queue_or_before_it_said_where_it_is_is_found(study, monkeypatch):
    study.tell(ask(study), state=TrialState.FAIL)
    unsaid = ask(study)
    recover(study, SPACE)
    assert [one.user_attrs[RETRY_OF] for one in waiting(study)] == [[0]], "the other may be about to say it"
    study.ask()

    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.now(tz) + datetime.timedelta(seconds=GRACE_S + 1)

    monkeypatch.setattr("asdbench.tuning.standing.datetime", Later)
    recover(study, SPACE)
    assert [unsaid.number] in [one.user_attrs[RETRY_OF] for one in waiting(study)]


def test_a_trial_that_is_lost_again_and_again_is_given_up_and_one_that_is_given_back_never(study, dead_place):
    for _ in range(RETRIES + 1):
        ask(study, dead_place)
        recover(study, SPACE)
    assert not waiting(study)
    assert [one.number for one in settled(study.trials)] == [RETRIES]
    for _ in range(2 * RETRIES):
        give_back(study, ask(study))
        recover(study, SPACE)
        assert waiting(study)[0].user_attrs[LOSSES] == 0


def test_a_command_that_was_lost_between_record_and_end_leaves_its_trial_to_be_done_again(study, dead_place):
    trial = ask(study, dead_place)
    trial.set_user_attr(RECORD, {"state": "done"})
    recover(study, SPACE)
    assert not settled(study.trials)
    assert len(waiting(study)) == 1


def test_of_what_two_commands_queued_at_once_the_first_counts(study):
    for attributes in ({}, {}, {RETRY_OF: [0]}, {RETRY_OF: [0]}):
        study.enqueue_trial({"knn.k": 1, "knn.leaf": 2}, user_attrs=attributes)
    ask(study)
    assert [is_surplus(one, study.trials) for one in study.trials] == [False, True, False, True]


def test_studies_of_older_versions_and_trials_of_other_software(study):
    given = {"params": {"knn.k": 1}, "distributions": {"knn.k": IntDistribution(1, 9)}}
    study.add_trial(optuna.create_trial(state=TrialState.FAIL, **given))
    study.add_trial(
        optuna.create_trial(
            value=1.0, system_attrs={"retry_history": [0]}, user_attrs={RECORD: {"state": "done"}},
            intermediate_values={250: 0.5, 1000: 1.0}, **given,
        )
    )  # fmt: skip
    study.add_trial(optuna.create_trial(value=1.0, **given))
    recover(study, SPACE)
    assert not waiting(study)
    assert [one.number for one in settled(study.trials)] == [1]
    assert [is_fresh(one) for one in study.trials] == [True, False, False]
