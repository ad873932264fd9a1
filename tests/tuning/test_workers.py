"""Commands and processes that are lost in the middle of a study: no trial is missing then, and none done twice."""

import json
import os
import signal
import time
from contextlib import contextmanager, suppress

import optuna
import postgres
import pytest
from optuna.trial import TrialState
from waiting import until

from asdbench.tuning.queue import WORKER
from asdbench.tuning.record import TrialRecord
from asdbench.tuning.storage import open_storage, quiet_optuna

NAME = "shared"

SCORERS = """
import multiprocessing, os, signal, time
from pathlib import Path
from asdbench.scorers.base import Scorer
class Slow(Scorer):
    def __init__(self, *, weight):
        super().__init__()
        self._weight = weight
    def fit(self, embeddings, clips):
        while Path(__file__).with_name("wait").exists(): time.sleep(0.02)
    def score(self, embeddings): return self._weight * embeddings[:, 0].astype(float) + embeddings[:, 1]
class Mortal(Slow):
    def __init__(self, *, weight, dies):
        super().__init__(weight=weight)
        self._dies = dies
    def fit(self, embeddings, clips):
        if multiprocessing.parent_process() is None: return
        tries = Path("tries")
        with tries.open("a") as file: file.write(self._dies + "\\n")
        count = tries.read_text().splitlines().count(self._dies)
        if self._dies == "always" or (self._dies == "once" and count == 1): os.kill(os.getpid(), signal.SIGKILL)
"""
CARD = """
summary = "For tests."
target = "slow_worker:{}"
version = 1
[params.weight]
default = 0.5
range = [-2.0, 2.0]
tune = {{ low = -1.0, high = 1.0 }}
help = "Of the first number."
"""
DIES = """
[params.dies]
default = "never"
choices = ["never", "once", "always"]
tune = { choices = ["never", "once", "always"] }
help = "Which process does."
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """A scorer that waits as long as there is a file ``wait`` beside it, and one whose process dies."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "registry" / "scorers").mkdir(parents=True)
    (folder / "slow_worker.py").write_text(SCORERS)
    (folder / "registry" / "scorers" / "slow.toml").write_text(CARD.format("Slow"))
    (folder / "registry" / "scorers" / "mortal.toml").write_text(CARD.format("Mortal") + DIES)
    return folder


@pytest.fixture
def words(small_dataset, plugin, tmp_path):
    """Of a command on one machine type."""
    return [
        "tune", "--dataset", small_dataset, "--machine", "fan", "--extractor", "raw-mel", "--plugin-path", plugin,
        "--study", NAME, "--pruner", "none", "--out", tmp_path / "runs", "--json",
    ]  # fmt: skip


@pytest.fixture
def tune(cli, monkeypatch):
    """Runs a command in this process."""
    monkeypatch.setattr("asdbench.tuning.tune.write_study_report", lambda *_: None)  # seconds, and not looked at here

    def call(*words):
        done = cli(*words)
        assert done.code == 0, done.err
        return done.json["studies"][0]

    return call


@contextmanager
def storage_of(kind, folder):
    if kind == "postgresql":
        with postgres.postgres() as uri:
            yield uri
    else:
        yield {"sqlite": f"sqlite:///{folder}/a.db", "journal": f"journal:{folder}/a.log"}[kind]


class Watched:
    """A study that others are at."""

    def __init__(self, uri):
        self._uri = uri
        self._study = None

    @property
    def trials(self):
        with quiet_optuna(), suppress(KeyError):
            if self._study is None:
                self._study = optuna.load_study(study_name=NAME, storage=open_storage(self._uri))
            return self._study.get_trials(deepcopy=False)
        return []

    def are_at_it(self, pids):
        """Whether each of the processes is at a trial."""
        running = [one for one in self.trials if one.state == TrialState.RUNNING and one.params]
        return set(pids) <= {int(one.user_attrs.get(WORKER, ":0").rpartition(":")[2]) for one in running}


def records_in(folder):
    paths = sorted((folder / "runs" / "studies" / NAME / "trials").glob("*.json"))
    return [TrialRecord.model_validate_json(path.read_text()) for path in paths]


def end(pids):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("journal", marks=pytest.mark.slow), "postgresql"])
def test_the_trials_of_lost_commands_are_done_by_another_with_their_parameters(
    kind, words, tune, tmp_path, plugin, zygote, own_cache
):
    wanted = 3
    words += ["--scorer", "slow", "--only", "slow", "--sampler", "random", "--trials", wanted]
    (plugin / "wait").touch()
    with storage_of(kind, tmp_path) as uri:
        words += ["--storage", uri]
        study = Watched(uri)
        pids = [zygote.start(*words, cache=own_cache, log=tmp_path / f"log{number}") for number in range(2)]
        try:
            until(lambda: study.are_at_it(pids))
            time.sleep(0.2)  # an interrupt while Optuna frees the lock of a journal is an OSError of its own
            os.kill(pids[0], signal.SIGKILL)
            os.kill(pids[1], signal.SIGINT)
            assert [zygote.wait(pid) for pid in pids] == [-signal.SIGKILL, 130], (tmp_path / "log1").read_text()
        finally:
            end(pids)
        states = sorted(one.state.name for one in study.trials)
        assert states == ["FAIL", "RUNNING"], "nobody gave back what was killed"
        (plugin / "wait").unlink()
        study_record = tune(*words)
        assert study_record["counts"] == {"done": wanted, "pruned": 0, "failed": 0}
        assert postgres.PASSWORD not in str(study_record)
        trials = study.trials
    if kind == "postgresql":
        for path in (tmp_path / "runs").rglob("*.[jt]*"):
            assert postgres.ENCODED_PASSWORD not in path.read_text()
            assert postgres.PASSWORD not in path.read_text()
    lost = {one.number: one.params for one in trials if one.state == TrialState.FAIL}
    assert set(lost) == {0, 1}
    records = records_in(tmp_path)
    assert len(records) == len({record.params["slow.weight"] for record in records}) == wanted
    assert {one.retry_of: one.params for one in records if one.retry_of is not None} == lost


def test_two_commands_do_every_combination_of_a_grid_once_though_one_is_killed(
    words, tune, tmp_path, plugin, zygote, own_cache
):
    uri = f"sqlite:///{tmp_path}/a.db"
    words += ["--scorer", "slow", "--scorer", "knn", "--grid", "--storage", uri]
    for space in ("slow.weight=0.5,1", "knn.n_neighbors=1,5"):
        words += ["--space", space, "--only", space.partition("=")[0]]
    (plugin / "wait").touch()
    study = Watched(uri)
    pids = [zygote.start(*words, cache=own_cache, log=tmp_path / f"log{number}") for number in range(2)]
    try:
        until(lambda: study.are_at_it(pids))
        end(pids[:1])
        zygote.wait(pids[0])
        (plugin / "wait").unlink()
        assert tune(*words)["counts"] == {"done": 4, "pruned": 0, "failed": 0}
    finally:
        end(pids)
    done = [one.params for one in study.trials if one.state == TrialState.COMPLETE]
    combinations = [{"scorer": "slow", "slow.weight": weight} for weight in (0.5, 1.0)]
    combinations += [{"scorer": "knn", "knn.n_neighbors": count} for count in (1, 5)]
    assert [done.count(combination) for combination in combinations] == [1] * len(done)


def test_processes_that_die_cost_a_try_of_their_trial_and_nothing_else(
    words, tune, zygote, own_cache, tmp_path, monkeypatch
):
    """With processes or without, the trials are the same."""
    monkeypatch.chdir(tmp_path)
    words += ["--scorer", "mortal", "--only", "mortal.dies", "--grid"]
    alone = tune(*words, "--storage", "sqlite:///alone.db", "--out", tmp_path / "alone" / "runs")
    assert alone["counts"]["done"] == 3
    files = {"cache": own_cache, "log": tmp_path / "log", "out": tmp_path / "out"}
    command = zygote.start(*words, "--storage", "sqlite:///two.db", "--jobs", 2, **files)
    assert zygote.wait(command) == 0, files["log"].read_text()
    (study,) = json.loads(files["out"].read_text())["studies"]
    expected, found = records_in(tmp_path / "alone"), records_in(tmp_path)
    assert [one.params for one in found] == [one.params for one in expected]
    for one, other in zip(found, expected, strict=True):
        if one.params["mortal.dies"] == "always":
            assert one.state == "failed"
            assert "its process was killed (SIGKILL" in one.reason
        else:
            assert (one.state, one.values, one.parts) == ("done", other.values, other.parts)
    assert (tmp_path / "tries").read_text().splitlines().count("always") == 3
    assert study["counts"]["failed"] == 1
