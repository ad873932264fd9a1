"""Whose trial is whose, by the trials in a storage alone; no recordings."""

import multiprocessing
import os
import subprocess
import sys

import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState

from asdbench.tuning import claims, crew
from asdbench.tuning.claims import PLACE, RECORD, Claims, hand_back, is_gone, ordinal_of, place_of, put_back, settled
from asdbench.tuning.storage import RETRIES, open_storage, quiet_optuna


@pytest.fixture(params=["sqlite:///{}/a.db", "journal:{}/a.log"], ids=["sqlite", "journal"])
def study(request, tmp_path):
    with quiet_optuna():
        storage = open_storage(request.param.format(tmp_path))
        yield optuna.create_study(storage=storage, direction="maximize")


def finish(study, trial):
    study._storage.set_trial_user_attr(trial._trial_id, RECORD, {})
    study.tell(optuna.trial.Trial(study, trial._trial_id), 1.0)


def dead_place():
    """That of a process of this machine which has ended."""
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    place = place_of(child.pid)
    assert not is_gone(place)
    child.communicate()
    return place


def test_a_process_is_gone_when_it_has_ended_and_not_when_it_is_elsewhere():
    place = dead_place()
    assert is_gone(place)
    assert not is_gone({**place, "machine": "another"})
    assert not is_gone(place_of(os.getpid()))
    assert is_gone({**place_of(os.getpid()), "began": "before the number was given again"})


def test_ordinals_count_fresh_trials_and_end_at_what_is_wanted(study):
    mine = Claims(study, 3)
    taken = [mine.take() for _ in range(3)]
    assert [ordinal for _, ordinal in taken] == [0, 1, 2]
    assert mine.take() is None
    assert not mine.complete
    for trial, _ in taken:
        finish(study, trial)
    assert mine.complete
    assert Claims(study, 4).take()[1] == 3, "the same study, of more trials"


def test_a_worker_that_is_too_late_for_the_last_trial_leaves_it_and_it_does_not_count(study):
    late = Claims(study, 1)
    late._study = Late(study, Claims(study, 1))
    assert late.take() is None
    states = [(one.state, one.user_attrs.get(claims.SURPLUS)) for one in study.trials]
    assert states == [(TrialState.RUNNING, None), (TrialState.FAIL, True)]
    trial, ordinal = Claims(study, 2).take()
    assert (trial.number, ordinal) == (2, 1)


def test_one_too_many_whose_worker_was_lost_before_it_could_say_so_is_not_done(study):
    trial, _ = Claims(study, 1).take()
    late = study.ask()
    late.set_user_attr(PLACE, dead_place())
    finish(study, trial)
    assert Claims(study, 1).take() is None
    assert [one.state for one in study.trials] == [TrialState.COMPLETE, TrialState.FAIL]
    assert Claims(study, 1).complete
    assert Claims(study, 2).take()[1] == 1


def change(uri, way, ready, changed):
    study = optuna.load_study(study_name="shared", storage=open_storage(uri))
    trials = study.get_trials()
    ready.wait()
    if way == "take":
        changed.put(list(iter(study._pop_waiting_trial_id, None)))
    else:
        changed.put([one._trial_id for one in trials if put_back(study, one)])


@pytest.mark.parametrize("way", ["take", "put back"])
def test_of_workers_that_reach_for_a_trial_at_once_one_gets_it(way, tmp_path):
    uri, number, workers = f"sqlite:///{tmp_path}/a.db", 30, 3
    forked = multiprocessing.get_context("fork")
    with quiet_optuna():
        study = optuna.create_study(study_name="shared", storage=open_storage(uri))
        for _ in range(number):
            study.enqueue_trial({}) if way == "take" else study.ask()
        study._storage._backend.engine.dispose()  # no connection goes into a child
        ready, changed = forked.Barrier(workers), forked.Queue()
        processes = [forked.Process(target=change, args=(uri, way, ready, changed)) for _ in range(workers)]
        for process in processes:
            process.start()
        got = [changed.get(timeout=60) for _ in processes]
        for process in processes:
            process.join()
        assert sorted(one for own in got for one in own) == list(range(1, number + 1))
        assert len(study.get_trials()) == (number if way == "take" else 2 * number)


class Late:
    """A study in which another worker asks between the look and the asking."""

    def __init__(self, study, other):
        self._study, self._other = study, other

    def ask(self):
        self._other.take()
        return self._study.ask()

    def __getattr__(self, name):
        return getattr(self._study, name)


def test_the_trial_of_a_dead_process_is_done_again_at_once_under_its_ordinal(study):
    mine = Claims(study, 2)
    first, _ = mine.take()
    optuna.trial.Trial(study, first._trial_id).suggest_int("k", 1, 1000)
    lost = study.trials[0]
    study._storage.set_trial_user_attr(lost._trial_id, PLACE, dead_place())
    again, ordinal = mine.take()
    assert ordinal == 0
    assert optuna.trial.Trial(study, again._trial_id).suggest_int("k", 1, 1000) == lost.params["k"]
    assert [one.state for one in study.trials] == [TrialState.FAIL, TrialState.RUNNING]
    assert mine.take()[1] == 1
    assert mine.take() is None
    assert settled(study.trials) == []


def test_two_that_put_back_the_same_trial_queue_it_once(study):
    trial, _ = Claims(study, 1).take()
    assert put_back(study, trial)
    assert not put_back(study, trial)
    assert [one.state for one in study.trials] == [TrialState.FAIL, TrialState.WAITING]


def test_a_trial_that_costs_every_worker_its_life_is_given_up(study):
    mine = Claims(study, 1)
    for _ in range(RETRIES + 1):
        trial, ordinal = mine.take()
        assert ordinal == 0
        study._storage.set_trial_user_attr(trial._trial_id, PLACE, dead_place())
    assert mine.take() is None
    assert mine.complete
    assert [one.number for one in settled(study.trials)] == [RETRIES]


def test_an_interrupted_trial_waits_under_its_own_number(study):
    mine = Claims(study, 2)
    trial, _ = mine.take()
    hand_back(study, trial._trial_id)
    again, ordinal = mine.take()
    assert (again.number, ordinal) == (trial.number, 0)
    assert len(study.trials) == 1


def test_a_trial_that_waited_for_long_is_not_taken_for_lost_as_it_is_taken(study, monkeypatch):
    mine, other = Claims(study, 1), Claims(study, 1)
    trial, _ = mine.take()
    with claims.heartbeat(study, trial):
        pass
    hand_back(study, trial._trial_id)
    if not isinstance(study._storage, optuna.storages.JournalStorage):
        stop_clock(study)
    real = study.ask

    def ask():
        asked = real()
        other.recover()  # looks before the new worker has said a word
        return asked

    monkeypatch.setattr(study, "ask", ask)
    again, ordinal = mine.take()
    assert (again.number, ordinal) == (0, 0)
    assert [one.state for one in study.trials] == [TrialState.RUNNING]


def test_a_trial_that_is_lost_while_it_is_taken_is_left(study, monkeypatch):
    real = study.ask

    def ask():
        asked = real()
        put_back(study, study.trials[-1])
        return asked

    monkeypatch.setattr(study, "ask", ask)
    assert Claims(study, 1).take() is None
    assert [one.state for one in study.trials] == [TrialState.FAIL, TrialState.WAITING]


def test_a_repetition_reports_anew(study):
    trial, _ = Claims(study, 1).take()
    optuna.trial.Trial(study, trial._trial_id).report(0.5, 1000)
    put_back(study, trial)
    assert [one.intermediate_values for one in study.trials] == [{1000: 0.5}, {}]


def test_a_command_that_is_interrupted_hands_back_what_its_own_workers_did(study, monkeypatch):
    own, others = (Claims(study, 2).take()[0]._trial_id for _ in range(2))
    place = dead_place()
    study._storage.set_trial_user_attr(own, PLACE, place)
    study._storage.set_trial_user_attr(others, PLACE, {**place, "machine": "another"})

    class Crew:
        pids = frozenset([place["pid"]])

        def run(self, tell):
            raise KeyboardInterrupt

        def end(self):
            pass

    class Tuning:
        trials = 2

    monkeypatch.setattr(crew, "_Crew", lambda *_: Crew())
    with pytest.raises(KeyboardInterrupt):
        crew.work_together(Tuning, study, None, None, 2, None)
    assert [one.state for one in study.trials] == [TrialState.WAITING, TrialState.RUNNING]


def test_a_complete_study_needs_no_workers(study, monkeypatch):
    class Tuning:
        trials = 1

    finish(study, Claims(study, 1).take()[0])
    monkeypatch.setattr(crew, "_Crew", None)
    crew.work_together(Tuning, study, None, None, 2, None)


def stop_clock(study):
    """Let all heartbeats have stopped long ago."""
    with study._storage._backend.engine.begin() as connection:
        connection.execute(sqlalchemy.text("update trial_heartbeats set heartbeat = '2000-01-01 00:00:00.000000'"))


def test_a_silent_worker_of_another_machine_is_lost_after_a_while(study, monkeypatch):
    elsewhere = {"machine": "another", "pid": 1, "began": "1"}
    mine = Claims(study, 1)
    trial, _ = mine.take()
    study._storage.set_trial_user_attr(trial._trial_id, PLACE, elsewhere)
    now = [1000.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    with claims.heartbeat(study, trial):
        pass
    mine.recover()
    assert study.trials[0].state == TrialState.RUNNING
    if isinstance(study._storage, optuna.storages.JournalStorage):
        for beat in (7, 8):  # it lives
            now[0] += 0.9 * claims.GRACE_S
            study._storage.set_trial_user_attr(trial._trial_id, claims.BEAT, beat)
            mine.recover()
            assert study.trials[0].state == TrialState.RUNNING
        now[0] += 1.1 * claims.GRACE_S
    else:  # the database has a clock of its own
        stop_clock(study)
    again, ordinal = mine.take()
    assert (again.number, ordinal) == (1, 0)
    assert ordinal_of(study.trials[1], study.trials) == 0
