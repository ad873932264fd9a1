"""Two worker processes on one study, one of which is killed; on each kind of storage."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import optuna
import postgres
import pytest

from asdbench.tuning.claims import PLACE, settled
from asdbench.tuning.record import TrialRecord
from asdbench.tuning.storage import open_storage, quiet_optuna

TRIALS = 6
WITHIN_S = 200

SLOW = """
import time
from asdbench.scorers.base import Scorer
class Slow(Scorer):
    def __init__(self, *, weight):
        super().__init__()
        self._weight = weight
    def fit(self, embeddings, clips): time.sleep(0.05)
    def score(self, embeddings): return self._weight * embeddings[:, 0].astype(float) + embeddings[:, 1]
"""
CARD = """
summary = "Takes its time, so that there is time to kill it."
target = "slow:Slow"
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


@pytest.fixture
def command(small_dataset, tmp_path, session_cache):
    plugin = tmp_path / "plugin"
    (plugin / "registry" / "scorers").mkdir(parents=True)
    (plugin / "slow.py").write_text(SLOW)
    (plugin / "registry" / "scorers" / "slow.toml").write_text(CARD)
    started = []

    def start(*words):
        environment = {**os.environ, "ASDBENCH_CACHE": str(session_cache), "ASDBENCH_TRACKING": "none"}
        line = [sys.executable, "-m", "asdbench", "tune", "--dataset", small_dataset, "--extractor", "raw-mel",
                "--scorer", "slow", "--only", "slow", "--plugin-path", plugin,
                "--study", "shared", "--json", *words]  # fmt: skip
        process = subprocess.Popen(
            [str(word) for word in line], env=environment, cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def trials_in(uri):
    try:
        return optuna.load_study(study_name="shared", storage=open_storage(uri)).get_trials(deepcopy=False)
    except KeyError:
        return []


def wait_for_running(uri, number, commands, busy=1):
    """Process ids of the workers at their trials, once ``number`` trials are settled."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        trials = trials_in(uri)
        places = [one.user_attrs.get(PLACE) for one in trials if one.state == optuna.trial.TrialState.RUNNING]
        pids = [place["pid"] for place in places if place]
        if len(settled(trials)) >= number and len(set(pids)) >= busy:
            return pids
        ended = next((one for one in commands if one.poll() is not None), None)
        assert ended is None, ended.communicate()
        time.sleep(0.02)
    raise AssertionError("no trial was begun")


def check_study(uri, folder, lost):
    trials = trials_in(uri)
    assert len(settled(trials)) == TRIALS
    failed = [one.number for one in trials if one.state == optuna.trial.TrialState.FAIL]
    assert len(failed) == lost
    records = [
        TrialRecord.model_validate_json(path.read_text())
        for path in sorted((folder / "runs" / "studies" / "shared" / "trials").glob("*.json"))
    ]
    assert len(records) == TRIALS
    assert all(record.state in ("done", "pruned") for record in records)
    assert sorted(record.retry_of for record in records if record.retry_of is not None) == failed
    by_number = {one.number: one for one in trials}
    for record in records:
        if record.retry_of is not None and by_number[record.retry_of].params:
            assert record.params == by_number[record.retry_of].params, "with the lost one's parameters"
    return records


@pytest.mark.parametrize(
    "kind",
    [
        "sqlite",
        pytest.param("journal", marks=pytest.mark.slow),
        pytest.param("postgresql", marks=pytest.mark.slow),
    ],
)
def test_a_killed_worker_s_trial_is_done_by_another_and_no_trial_is_missing(kind, command, tmp_path):
    with storage_of(kind, tmp_path) as uri, quiet_optuna():
        process = command("--storage", uri, "--trials", TRIALS, "--jobs", 2)
        pids = wait_for_running(uri, 1, [process])
        assert process.pid not in pids
        os.kill(pids[0], signal.SIGKILL)
        out, err = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 0, err
        records = check_study(uri, tmp_path, lost=1)
        (study,) = json.loads(out)["studies"]
        assert sum(study["counts"].values()) == TRIALS
        assert len({record.worker for record in records}) >= 2
        for place in (*(tmp_path / "runs").rglob("*.json"), *(tmp_path / "runs").rglob("*.toml")):
            assert postgres.ENCODED_PASSWORD not in place.read_text()
            assert postgres.PASSWORD not in place.read_text()
        assert postgres.PASSWORD not in out + err
        assert postgres.ENCODED_PASSWORD not in out + err


@pytest.mark.slow
def test_the_same_command_twice_is_one_study_and_outlives_one_of_them(command, tmp_path):
    uri = f"sqlite:///{tmp_path}/a.db"
    with quiet_optuna():
        both = [command("--storage", uri, "--trials", TRIALS, "--pruner", "none") for _ in range(2)]
        pids = wait_for_running(uri, 1, both, busy=2)
        victim = next(one for one in both if one.pid in pids)
        victim.kill()
        (other,) = (one for one in both if one is not victim)
        out, err = other.communicate(timeout=WITHIN_S)
        assert other.returncode == 0, err
        check_study(uri, tmp_path, lost=1)
        assert json.loads(out)["studies"][0]["counts"] == {"done": TRIALS, "pruned": 0, "failed": 0}


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_puts_their_trials_back(command, tmp_path):
    uri = f"sqlite:///{tmp_path}/a.db"
    with quiet_optuna():
        process = command("--storage", uri, "--trials", TRIALS, "--jobs", 2)
        wait_for_running(uri, 1, [process])
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 130, err
        assert "Traceback" not in err
        states = {one.state for one in trials_in(uri)}
        assert optuna.trial.TrialState.RUNNING not in states
        assert optuna.trial.TrialState.WAITING in states
        again = command("--storage", uri, "--trials", TRIALS, "--jobs", 2)
        _, err = again.communicate(timeout=WITHIN_S)
        assert again.returncode == 0, err
        check_study(uri, tmp_path, lost=0)
