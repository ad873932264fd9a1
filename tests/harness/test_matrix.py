"""Several data sets, systems and seeds in one command: what is planned, shared, retried and foretold."""

import json
import pickle
import textwrap
from collections import deque

import pytest

from asdbench.core.errors import DataError, UsageError
from asdbench.core.progress import Silent
from asdbench.harness import RunSpec, execute, make_plan
from asdbench.harness.forecast import forecast
from asdbench.harness.record import Failure
from asdbench.harness.run import Schedule
from asdbench.harness.tasks import FitTask, Result, ScoreTask, fit_tasks


@pytest.fixture
def plan(small_dataset, tmp_path):
    def make(**spec):
        given = {"extractor": ["raw-mel"], "scorer": ["knn"], "dataset": [str(small_dataset)], "out": tmp_path / "runs"}
        return make_plan(RunSpec(**given | spec), Silent())

    return make


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def other_dataset(make_folder, dcase2023_names):
    return make_folder({"pump": dcase2023_names()})


def test_data_sets_times_systems_times_seeds(plan, small_dataset, other_dataset, tmp_path):
    whole = plan(dataset=[str(small_dataset), str(other_dataset)], scorer=["knn", "mahalanobis-lw"], seed=[0, 1])
    assert len({cell.run_id for cell in whole.cells}) == 8
    records = list(execute(whole, Silent()))
    assert [record.status for record in records] == ["done"] * 8
    machines = {record.dataset.name: set(record.results.machines) for record in records}
    assert machines == {"small": {"fan", "valve"}, "recordings": {"pump"}}
    alone = list(execute(plan(dataset=[str(other_dataset)], out=tmp_path / "alone"), Silent()))
    (same,) = (record for record in records if record.run_id == alone[0].run_id)
    assert same.results == alone[0].results, "another data set in the command changes nothing"


def test_one_data_set_twice_is_refused(plan, small_dataset):
    with pytest.raises(UsageError, match="--dataset names the same one twice"):
        plan(dataset=[str(small_dataset), str(small_dataset)])


def test_a_run_file_covers_a_matrix(cli, small_dataset, other_dataset, tmp_path):
    config = tmp_path / "matrix.toml"
    config.write_text(
        f"dataset = ['{small_dataset}', '{other_dataset}']\nextractor = 'raw-mel'\nscorer = ['knn', 'lof']\n"
        f"seed = [0, 1, 2]\nout = '{tmp_path / 'runs'}'\n"
    )
    found = cli("run", "--config", config, "--dry-run", "--json").json
    assert [data["name"] for data in found["datasets"]] == ["small", "recordings"]
    assert len(found["plan"]) == 12
    assert {run["state"] for run in found["plan"]} == {"to do"}


def test_a_table_for_each_data_set(cli, small_dataset, other_dataset, tmp_path):
    words = ("--dataset", small_dataset, "--dataset", other_dataset, "--extractor", "raw-mel", "--scorer", "knn")
    told = cli("run", *words, "--out", tmp_path)
    assert told.code == 0
    titles = [line for line in told.out.splitlines() if "official score of dcase2023" in line]
    assert [title.split(",")[0] for title in titles] == ["small", "recordings"]


def test_the_next_command_compares_what_was_run(cli, small_dataset, tmp_path):
    words = ("--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "mahalanobis-lw")
    told = cli("run", *words, "--out", tmp_path)
    following = told.out.partition("Next: asdbench ")[2].partition("   (")[0].split()
    assert following == ["compare", "raw-mel+knn", "raw-mel+mahalanobis-lw", "--out", str(tmp_path)]
    assert cli(*following, "--replicates", "100").code == 0


def test_reports_are_left_when_asked_for(cli, small_dataset, tmp_path):
    words = ("run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "identity")
    assert cli(*words, "--out", tmp_path).code == 1
    assert not list(tmp_path.glob("*/report.html"))
    assert cli(*words, "--out", tmp_path, "--report").code == 1
    done, failed = sorted(tmp_path.glob("*/report.html"), key=lambda path: "identity" in str(path))
    assert "<svg" in done.read_text()
    assert "256 dimensions" in failed.read_text()


def test_a_machine_type_that_fails_leaves_the_others_results(plan, monkeypatch, tmp_path):
    from asdbench.harness import cell

    score_machine = cell.score_machine

    def broken(table, rows, component, seed, machine):
        if machine == "fan":
            raise RuntimeError("on purpose")
        return score_machine(table, rows, component, seed, machine)

    (whole,) = execute(plan(out=tmp_path / "whole"), Silent())
    monkeypatch.setattr(cell, "score_machine", broken)
    (record,) = execute(plan(), Silent())
    assert (record.status, record.results, record.intervals) == ("failed", None, None)
    assert record.salvaged == {"valve": whole.results.machines["valve"]}
    scores = tmp_path / "runs" / record.run_id / "scores"
    assert {path.name.split("_")[2] for path in scores.iterdir()} == {"valve"}


def test_what_failed_is_done_again_only_when_asked(cli, small_dataset, tmp_path):
    words = ("run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "identity", "--scorer", "knn")
    words += ("--out", tmp_path)
    first = cli(*words)
    assert first.code == 1
    assert "Next: the same command with --retry-failed" in first.out
    (failed,) = (path for path in tmp_path.glob("*identity*/run.json"))
    before = failed.stat().st_mtime_ns
    again = cli(*words)
    assert (again.code, failed.stat().st_mtime_ns) == (1, before)
    assert "failed: raw-mel + identity, seed 0, fan" in again.out
    state = {run["scorer"]: run["state"] for run in cli(*words, "--dry-run", "--json").json["plan"]}
    assert state == {"identity": "failed", "knn": "done"}
    assert cli(*words, "--retry-failed").code == 1
    assert failed.stat().st_mtime_ns > before


DEADLY = """
import os, signal
from asdbench.extractors.raw_mel import RawMel

class Deadly(RawMel):
    def fit(self, clips, context):
        if clips[0].machine == "fan":
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_one_fit_with_it(cli, small_dataset, tmp_path, fresh_cache):
    cards = tmp_path / "mine" / "registry" / "extractors"
    cards.mkdir(parents=True)
    (tmp_path / "mine" / "deadly_extractor.py").write_text(DEADLY)
    own = (raw_mel_card().replace("asdbench.extractors.raw_mel:RawMel", "deadly_extractor:Deadly"),)
    (cards / "deadly.toml").write_text(own[0])
    words = ("--extractor", "deadly", "--extractor", "raw-mel", "--scorer", "knn", "--jobs", 2, "--json")
    told = cli(
        "run", "--dataset", small_dataset, "--plugin-path", tmp_path / "mine", *words, "--out", tmp_path / "runs"
    )
    assert told.code == 1
    deadly, sound = told.json["runs"]
    assert (deadly["status"], sound["status"]) == ("failed", "done")
    (failure,) = deadly["failures"]
    assert (failure["stage"], failure["machine"]) == ("fit", "fan")
    assert "killed (SIGKILL, most likely for want of memory)" in failure["reason"]
    record = json.loads((tmp_path / "runs" / deadly["run_id"] / "run.json").read_text())
    assert set(record["salvaged"]) == {"valve"}


def raw_mel_card() -> str:
    from asdbench.registry.plugins import own_source

    return (own_source().folder / "extractors" / "raw-mel.toml").read_text()


def test_the_estimate_scales_a_past_run_to_the_clips(plan, small_dataset, other_dataset, tmp_path, fresh_cache):
    (record,) = execute(plan(), Silent())
    path = tmp_path / "runs" / record.run_id / "run.json"
    content = json.loads(path.read_text())
    content["seconds"] = {"features": 1.0, "fit": 80.0, "embed": 36.0, "score": 7.2}  # of 40 + 32 clips
    path.write_text(json.dumps(content))
    seen = forecast(plan(dataset=[str(small_dataset), str(other_dataset)], seed=[0, 1]))
    states = [outlook.state for outlook in seen.cells]
    assert states == ["done", "to do", "to do", "to do"]
    other = seen.cells[2]
    assert other.estimate_s == pytest.approx(80 / 40 * 10 + 36 / 72 * 22 + 7.2 / 72 * 22)
    embedded = seen.cells[1]
    assert embedded.fits == 2, "seed 1 has fits of its own"
    assert (seen.fits, seen.unknown_fits) == (4, 0)
    fits = 2 * (80 / 40 * 10 + 36 / 72 * 22) + (80 + 36)
    scores = 2 * 7.2 / 72 * 22 + 7.2
    assert seen.total_s == pytest.approx(fits + scores)


def test_without_a_past_run_nothing_is_foretold(plan, fresh_cache):
    seen = forecast(plan())
    assert (seen.total_s, seen.unknown_fits) == (None, 2)


def test_runs_that_share_an_extractor_share_its_fits(plan):
    whole = plan(scorer=["knn", "lof", "gmm"], seed=[0, 1])
    needs = fit_tasks(whole, range(len(whole.cells)))
    assert len({task for tasks in needs.values() for task in tasks}) == 2 * 2  # seeds x machine types


class Fake:
    """A crew of ``size`` that ends the oldest task first and answers as the test says."""

    def __init__(self, size, answer):
        self.size, self.answer = size, answer
        self.at_work, self.started = deque(), []

    @property
    def free(self):
        return self.size - len(self.at_work)

    def start(self, task, *, wait):
        self.started.append((task, wait))
        self.at_work.append((task, wait))

    def results(self):
        yield self.answer(*self.at_work.popleft())


@pytest.mark.parametrize("size", [1, 3])
def test_every_fit_is_started_once_and_every_run_scored_after_its_fits(plan, size):
    whole = plan(scorer=["knn", "lof"], seed=[0, 1])
    needs = fit_tasks(whole, range(4))
    crew = Fake(size, lambda task, wait: Result(task, record=task if isinstance(task, ScoreTask) else None))
    records = list(Schedule(whole, needs, dict.fromkeys(needs, 0.0)).run(crew))
    assert sorted(task.cell for task in records) == [0, 1, 2, 3]
    order = [task for task, _ in crew.started]
    assert len(order) == len(set(order)) == 4 + 4
    for task in records:
        assert all(order.index(fit) < order.index(task) for fit in needs[task.cell])


def test_work_of_another_command_is_waited_for_last(plan):
    whole = plan(seed=[0, 1])
    needs = fit_tasks(whole, range(2))
    theirs = needs[0][0]

    def answer(task, wait):
        if task == theirs and not wait:
            return Result(task, busy=True)
        return Result(task, record=task if isinstance(task, ScoreTask) else None)

    crew = Fake(1, answer)
    assert [task.cell for task in Schedule(whole, needs, {0: 0.0, 1: 0.0}).run(crew)] == [1, 0]
    assert [wait for task, wait in crew.started if task == theirs] == [False, True]


def test_the_failure_of_a_fit_reaches_its_runs_and_no_other(plan):
    whole = plan(scorer=["knn", "lof"], seed=[0, 1])
    needs = fit_tasks(whole, range(4))
    failure = Failure(stage="fit", machine="fan", reason="on purpose")

    def answer(task, wait):
        if isinstance(task, FitTask):
            return Result(task, failures=(failure,) if task == needs[0][0] else ())
        return Result(task, record=task)

    tasks = list(Schedule(whole, needs, dict.fromkeys(needs, 0.0)).run(Fake(2, answer)))
    assert {task.cell: task.failures for task in tasks} == {0: (failure,), 1: (failure,), 2: (), 3: ()}


def test_errors_reach_the_command_from_another_process():
    error = pickle.loads(pickle.dumps(DataError("Two recordings cannot be used:", ["a.wav", "b.wav"], "Repair them.")))
    assert str(error) == textwrap.dedent("Two recordings cannot be used:\n  a.wav\n  b.wav\nRepair them.")
    assert error.exit_code == 3
