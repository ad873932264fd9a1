"""Which trials of a study count, and what becomes of those that were lost; no recordings."""

import datetime
import json
import sqlite3
import subprocess
import sys

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState

from asdbench.tuning.queue import (
    INTERRUPTED,
    LOCK,
    RECORD,
    RETRY_OF,
    has_ended,
    is_gone,
    locked,
    losses,
    ordinal_of,
    recover,
    trials_of,
)
from asdbench.tuning.space import Dimension, Space
from asdbench.tuning.storage import GRACE_S, open_storage, quiet_optuna, say_alive

K, LEAF = (Dimension("knn", name, "int", {"low": 1, "high": 9, "log": False}, 1, 3) for name in ("k", "leaf"))


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
def dead_lock(tmp_path_factory):
    """That of a command of this machine which was killed."""
    code = (
        "import json, os, sys; from pathlib import Path; from asdbench.tuning.queue import locked\n"
        "with locked(Path(sys.argv[1])) as lock: print(json.dumps(lock), flush=True); os.kill(os.getpid(), 9)"
    )
    words = [sys.executable, "-c", code, str(tmp_path_factory.mktemp("study"))]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=False).stdout)


def ask(study, lock=None, suggest=True):
    trial = study.ask()
    if lock is not None:
        trial.set_user_attr(LOCK, lock)
    if suggest:
        SPACE.suggest(trial)
    return trial


def waiting(study):
    return [one for one in study.trials if one.state == TrialState.WAITING]


def test_a_command_is_gone_when_its_lock_is_free_and_not_when_that_cannot_be_said(dead_lock, tmp_path):
    assert is_gone(dead_lock)
    assert not is_gone({**dead_lock, "host": "another"})
    assert not is_gone({**dead_lock, "path": str(tmp_path / "of another container")})
    with pytest.raises(RuntimeError), locked(tmp_path) as lock:
        assert not is_gone(lock)
        raise RuntimeError
    assert is_gone(lock), "a notebook goes on after a call that failed"


def test_a_lost_trial_is_queued_again_once_with_its_parameters(study, dead_lock, tmp_path):
    lost = ask(study, dead_lock)
    with locked(tmp_path) as lock:
        ask(study, lock)
        for _ in range(2):
            recover(study, SPACE)
    (again,) = waiting(study)
    assert again.user_attrs[RETRY_OF] == [lost.number]
    assert SPACE.suggest(study.ask()) == lost.params
    assert not any(map(has_ended, study.trials))
    assert [ordinal_of(one, study.trials) for one in study.trials] == [0, 1, 0]


def test_a_trial_that_was_lost_while_it_drew_its_parameters_draws_all_of_them_anew(study, dead_lock):
    K.suggest(ask(study, dead_lock, suggest=False))
    recover(study, SPACE)
    assert waiting(study)[0].system_attrs["fixed_params"] == {}


def test_what_was_lost_between_its_end_and_the_queue_or_before_it_said_where_it_is_is_queued(study, monkeypatch):
    study.tell(ask(study), state=TrialState.FAIL)
    unsaid = ask(study)
    recover(study, SPACE)
    assert [one.user_attrs[RETRY_OF] for one in waiting(study)] == [[0]], "the other may be about to say it"
    study.ask()

    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.now(tz) + datetime.timedelta(seconds=GRACE_S + 1)

    monkeypatch.setattr("asdbench.tuning.queue.datetime", Later)
    recover(study, SPACE)
    assert [unsaid.number] in [one.user_attrs[RETRY_OF] for one in waiting(study)]


def test_a_command_lost_on_another_machine_is_noticed_by_its_missing_heartbeat(tmp_path, dead_lock):
    with quiet_optuna():
        storage = open_storage(f"sqlite:///{tmp_path}/a.db")
        study = optuna.create_study(storage=storage, study_name="far")
        trial = ask(study, {**dead_lock, "host": "another"})
        say_alive(storage, "far", trial.number)
        recover(study, SPACE)
        assert not waiting(study)
        with sqlite3.connect(tmp_path / "a.db") as database:
            database.execute("update trial_heartbeats set heartbeat = datetime(heartbeat, '-1 hour')")
        recover(study, SPACE)
    assert [one.user_attrs[RETRY_OF] for one in waiting(study)] == [[trial.number]]


def test_losses_of_a_trial_are_counted_and_interruptions_are_not(study, dead_lock):
    for _ in range(2):
        ask(study, dead_lock)
        recover(study, SPACE)
        trial = ask(study)
        trial.set_user_attr(INTERRUPTED, True)
        study.tell(trial, state=TrialState.FAIL)
        recover(study, SPACE)
    (again,) = waiting(study)
    assert again.user_attrs[RETRY_OF] == [0, 1, 2, 3]
    assert losses(again, study.trials) == 2


def test_a_command_that_was_lost_between_record_and_end_leaves_its_trial_to_be_done_again(study, dead_lock):
    ask(study, dead_lock).set_user_attr(RECORD, {"state": "done"})
    recover(study, SPACE)
    assert not any(map(has_ended, study.trials))
    assert len(waiting(study)) == 1


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
    study.add_trial(optuna.create_trial(state=TrialState.FAIL, user_attrs={"surplus": True}, **given))
    recover(study, SPACE)
    assert not waiting(study)
    assert [one.number for one in trials_of(study) if has_ended(one)] == [1]
