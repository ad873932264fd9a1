"""Several data sets, systems and seeds in one command: what is planned, shared, retried and foretold."""

import json
import pickle
import signal
import textwrap
from collections import deque

import numpy as np
import pytest

from asdbench.core.errors import DataError, UsageError
from asdbench.core.progress import Silent
from asdbench.harness import RunSpec, execute, make_plan
from asdbench.harness.forecast import forecast
from asdbench.harness.record import Failure
from asdbench.harness.schedule import Schedule
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
    wide = cli(*words, "--dry-run").out
    assert all(path.parent.name in wide for path in tmp_path.glob("*/run.json")), "no id is cut"
    state = {run["scorer"]: run["state"] for run in cli(*words, "--dry-run", "--json").json["plan"]}
    assert state == {"identity": "failed", "knn": "done"}
    assert cli(*words, "--retry-failed").code == 1
    assert failed.stat().st_mtime_ns > before


def test_recordings_that_cannot_be_used_cost_their_own_data_set_alone(cli, small_dataset, other_dataset, tmp_path):
    spoilt = next((other_dataset / "pump" / "train").iterdir())
    spoilt.write_bytes(b"")
    words = ("--extractor", "raw-mel", "--scorer", "knn", "--scorer", "mahalanobis-lw", "--out", tmp_path / "runs")
    told = cli("run", "--dataset", small_dataset, "--dataset", other_dataset, *words, "--json")
    assert told.code == 1
    assert [(run["dataset"], run["status"]) for run in told.json["runs"]] == [
        *(("small", "done"),) * 2,
        *(("recordings", "failed"),) * 2,
    ]
    (failure,) = told.json["runs"][2]["failures"]
    assert failure["stage"] == "features"
    assert f"{spoilt}: the file is empty" in failure["reason"]
    assert cli("run", "--dataset", other_dataset, *words, "--retry-failed").code == 3, "alone, it is refused"


def test_what_is_removed_from_the_cache_meanwhile_is_computed_again(plan, monkeypatch, fresh_cache):
    from asdbench.harness.kept import KeptFit

    read_into, removed = KeptFit.read_into, []

    def emptied(self, done, machines):
        if not removed:
            removed.append(self.files["fan"])
            removed[0].unlink()
        read_into(self, done, machines)

    monkeypatch.setattr(KeptFit, "read_into", emptied)
    (record,) = execute(plan(), Silent())
    assert record.status == "done"
    assert set(record.results.machines) == {"fan", "valve"}
    assert removed[0].is_file()


def test_a_run_without_embeddings_of_a_machine_type_is_never_done(plan, monkeypatch):
    from asdbench.harness.kept import KeptFit

    def gone(self, done, machines):
        raise FileNotFoundError

    monkeypatch.setattr(KeptFit, "read_into", gone)
    (record,) = execute(plan(), Silent())
    assert (record.status, record.results) == ("failed", None)
    assert {failure.machine for failure in record.failures} == {"fan", "valve"}


def test_lost_score_files_are_made_again(plan, tmp_path):
    (record,) = execute(plan(), Silent())
    lost = tmp_path / "runs" / record.run_id / "scores" / "anomaly_score_fan_section_00_test.csv"
    before = lost.read_bytes()
    lost.unlink()
    assert forecast(plan()).cells[0].state == "to do"
    list(execute(plan(), Silent()))
    assert lost.read_bytes() == before


def test_a_run_that_was_finished_elsewhere_is_not_recorded_as_failed(plan):
    from asdbench.harness.cell import record_failure

    whole = plan()
    (done,) = execute(whole, Silent())
    failure = Failure(stage="fit", machine=None, reason="its process was killed")
    assert record_failure(whole, whole.cells[0], [failure]) == done
    assert list(execute(whole, Silent())) == [done]


def test_a_record_tells_the_parameters_that_concern_it_alone(plan):
    params = {"knn.n_neighbors": "3", "lof.n_neighbors": "5", "frontend.n_mels": "64"}
    knn, lof = execute(plan(scorer=["knn", "lof"], params=params), Silent())
    assert knn.asked.params == {"knn.n_neighbors": "3", "frontend.n_mels": "64"}
    assert lof.asked.params == {"lof.n_neighbors": "5", "frontend.n_mels": "64"}


def test_a_component_that_leaves_is_a_failure_and_not_the_end(plan, monkeypatch, fresh_cache):
    from asdbench.extractors.raw_mel import RawMel

    def leave(*_):
        raise SystemExit(0)

    monkeypatch.setattr(RawMel, "fit", leave)
    (record,) = execute(plan(), Silent())
    assert record.status == "failed"
    assert record.failures[0].reason == "SystemExit: 0"


def test_a_disk_that_fills_while_embeddings_are_written_ends_the_command(plan, monkeypatch, fresh_cache):
    """By a limit on the size of files, which the operating system itself enforces."""
    import resource

    from asdbench.core.errors import DiskFullError
    from asdbench.extractors.raw_mel import RawMel

    monkeypatch.setattr(RawMel, "embed", lambda self, clips, context: np.ones((len(clips), 200_000), np.float32))
    list(execute(plan(scorer=["random"], params={"frontend.n_mels": "16"}, seed=[9]), Silent()))  # features are there
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(DiskFullError, match=r"No room left on the disk while writing .*embeddings"):
            list(execute(plan(params={"frontend.n_mels": "16"}), Silent()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, was)


def test_bars_say_which_seed_and_data_set_they_are_of(plan, small_dataset, other_dataset, fresh_cache):
    class Listening(Silent):
        def stage(self, name, total):
            names.append(name)
            return super().stage(name, total)

    names: list[str] = []
    list(execute(plan(dataset=[str(small_dataset), str(other_dataset)], seed=[0, 1]), Listening()))
    assert {"features (s0, small)", "features (s0, recordings)", "score knn (s1, small)"} <= set(names)
    names.clear()
    list(execute(plan(fresh=True), Listening()))
    assert "score knn" in names


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
