"""Workers on one study, one of which is lost: processes of a cheap objective on each storage, and a whole command."""

import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from types import SimpleNamespace

import optuna
import postgres
import pytest
from asdbench.tuning.claims import BEAT, PLACE, history, settled
from asdbench.tuning.work import Worker
from optuna.trial import TrialState
from waiting import WITHIN_S, until

from asdbench.core.progress import Silent
from asdbench.tuning import drive, work
from asdbench.tuning.record import TrialRecord
from asdbench.tuning.storage import open_storage, quiet_optuna

TRIALS = 6
NAME = "shared"

SLOW = """
import time
from asdbench.scorers.base import Scorer
class Slow(Scorer):
    def __init__(self, *, weight):
        super().__init__()
        self._weight = weight
    def fit(self, embeddings, clips): time.sleep(0.3)
    def score(self, embeddings): return self._weight * embeddings[:, 0].astype(float) + embeddings[:, 1]
"""
CARD = """
summary = "Takes its time, so that there is time to kill it."
target = "slow_worker:Slow"
version = 1
[params.weight]
default = 0.5
range = [-2.0, 2.0]
tune = { low = -1.0, high = 1.0 }
help = "Of the first number."
"""


@contextmanager
def storage_of(kind, folder):
    if kind == "postgresql":
        with postgres.postgres() as uri:
            yield uri
    else:
        yield {"sqlite": f"sqlite:///{folder}/a.db", "journal": f"journal:{folder}/a.log"}[kind]


_load = cache(lambda uri: optuna.load_study(study_name=NAME, storage=open_storage(uri)))


def trials_in(uri):
    try:
        return _load(uri).get_trials(deepcopy=False)
    except KeyError:
        return []


def running(uri):
    """The trial of each process that is at one."""
    return {
        one.user_attrs[PLACE]["pid"]: one
        for one in trials_in(uri)
        if one.state == TrialState.RUNNING and one.user_attrs.get(PLACE)
    }


def check_study(uri, folder, lost, wanted=TRIALS):
    trials = trials_in(uri)
    assert len(settled(trials)) == wanted
    failed = [one.number for one in trials if one.state == TrialState.FAIL]
    assert failed == lost
    records = [TrialRecord.model_validate_json(path.read_text()) for path in sorted((folder / "trials").glob("*.json"))]
    assert len(records) == wanted
    assert all(record.state in ("done", "pruned") for record in records)
    assert sorted(record.retry_of for record in records if record.retry_of is not None) == failed
    by_number = {one.number: one for one in trials}
    for record in records:
        if record.retry_of is not None and by_number[record.retry_of].params:
            assert record.params == by_number[record.retry_of].params, "with the lost one's parameters"
    return records


def do_trials(uri, folder, hangs):
    """What a worker does, with a cheap objective; one that hangs is at its second trial for ever."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begun = []

    def conduct(self, *_):
        self._params = {"x": self._trial.suggest_float("x", 0, 1)}
        begun.append(self)
        while hangs and len(begun) == 2:
            time.sleep(0.01)
        return self._record("done", values=[self._params["x"]])

    work._Attempt.conduct = conduct  # this process is a forked one
    tuning = SimpleNamespace(
        asked=SimpleNamespace(sampler="random", sampler_seed=0), fixed=lambda _: None, folder=folder, name=NAME,
        trials=TRIALS, bench=SimpleNamespace(require_buildable=lambda: None),
    )  # fmt: skip
    with quiet_optuna(), suppress(KeyboardInterrupt):
        study = optuna.load_study(study_name=NAME, storage=open_storage(uri))
        Worker(tuning, study, Silent(), lambda _: None).work()


@pytest.mark.parametrize("kind", ["sqlite", "journal", "postgresql"])
def test_the_trial_of_a_lost_worker_is_done_by_another_and_no_trial_is_missing(kind, tmp_path):
    forked = multiprocessing.get_context("fork")
    with storage_of(kind, tmp_path) as uri, quiet_optuna():
        optuna.create_study(study_name=NAME, storage=open_storage(uri), direction="maximize")
        killed, interrupted, other = (
            forked.Process(target=do_trials, args=(uri, tmp_path, hangs)) for hangs in (True, True, False)
        )
        try:
            for process in (killed, interrupted):
                process.start()
            at = until(
                lambda: len(settled(trials_in(uri))) == 2 and (found := running(uri)) and len(found) == 2 and found
            )
            # One that dies while it writes to a journal leaves the file locked for half a minute.
            until(
                lambda: all(
                    one.params and (kind != "journal" or BEAT in one.user_attrs) for one in running(uri).values()
                )
            )
            killed.kill()
            os.kill(interrupted.pid, signal.SIGINT)
            interrupted.join(WITHIN_S)
            other.start()
            other.join(WITHIN_S)
            assert (interrupted.exitcode, other.exitcode) == (0, 0)
            lost, handed_back = at[killed.pid].number, at[interrupted.pid].number
            records = {record.number: record for record in check_study(uri, tmp_path, lost=[lost])}
            assert records[handed_back].worker.endswith(f":{other.pid}")
        finally:
            for process in (killed, interrupted, other):
                if process.is_alive():
                    process.kill()


@pytest.fixture
def tune(cli, small_dataset, tmp_path, monkeypatch):
    plugin = tmp_path / "plugin"
    (plugin / "registry" / "scorers").mkdir(parents=True)
    (plugin / "slow_worker.py").write_text(SLOW)
    (plugin / "registry" / "scorers" / "slow.toml").write_text(CARD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(drive, "write_study_report", lambda *_: None)  # seconds, and not looked at here

    def call(*words, scorer="slow"):
        return cli(
            "tune", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", scorer, "--only", scorer,
            "--plugin-path", plugin, "--study", NAME, "--pruner", "none", "--json", *words,
        )  # fmt: skip

    return call


def test_a_command_outlives_a_worker_and_ctrl_c(tune, tmp_path):
    wanted, uri = 4, f"sqlite:///{tmp_path}/a.db"

    def kill_and_interrupt():
        def just_begun():
            trials = running(uri) if settled(trials_in(uri)) else {}
            return [
                pid for pid, one in trials.items() if (datetime.now() - one.datetime_start).total_seconds() < 0.3
            ]  # of 0.6 s

        (pid, *_) = until(just_begun)
        assert pid != os.getpid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: any(history(one) and one.user_attrs.get(PLACE) for one in trials_in(uri)))
        os.kill(os.getpid(), signal.SIGINT)

    with quiet_optuna(), ThreadPoolExecutor(1) as beside:
        killing = beside.submit(kill_and_interrupt)
        done = tune("--storage", uri, "--trials", wanted, "--jobs", 2)
        killing.result()
        assert done.code == 130, done.err
        assert "Traceback" not in done.err
        trials = trials_in(uri)
        assert {one.state for one in trials} <= {TrialState.COMPLETE, TrialState.FAIL, TrialState.WAITING}
        assert 1 <= len(settled(trials)) < wanted
        done = tune("--storage", uri, "--trials", wanted)
        assert done.code == 0, done.err
        (lost,) = [one.number for one in trials if one.state == TrialState.FAIL]
        check_study(uri, tmp_path / "runs" / "studies" / NAME, lost=[lost], wanted=wanted)
        assert done.json["studies"][0]["counts"] == {"done": wanted, "pruned": 0, "failed": 0}


def test_the_password_of_a_database_is_written_nowhere(tune, tmp_path):
    with postgres.postgres() as uri:
        done = tune("--storage", uri, "--trials", 1, scorer="knn")
        assert done.code == 0, done.err
        for text in (done.out, done.err, *(path.read_text() for path in (tmp_path / "runs").rglob("*.[jt]*"))):
            assert postgres.ENCODED_PASSWORD not in text
            assert postgres.PASSWORD not in text
