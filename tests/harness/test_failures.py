"""What fails, is lost or is taken away meanwhile costs as little as it can, and is said."""

import json
import shutil
import signal

import numpy as np
import pytest

from asdbench.core.progress import Silent
from asdbench.harness import execute
from asdbench.harness.estimate import forecast
from asdbench.harness.record import Failure


def test_a_machine_type_that_fails_leaves_the_others_results(plan, monkeypatch, tmp_path):
    from asdbench.harness import pipeline

    score_machine = pipeline.score_machine

    def broken(table, rows, component, seed, machine, *rest):
        if machine == "fan":
            raise RuntimeError("on purpose")
        return score_machine(table, rows, component, seed, machine, *rest)

    (whole,) = execute(plan(out=tmp_path / "whole"), Silent())
    monkeypatch.setattr(pipeline, "score_machine", broken)
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
    from asdbench.harness.fits import Fit

    read_into, removed = Fit.read_into, []

    def emptied(self, done, machines):
        if not removed:
            removed.append(self.embeddings["fan"].path)
            shutil.rmtree(removed[0])
        read_into(self, done, machines)

    monkeypatch.setattr(Fit, "read_into", emptied)
    (record,) = execute(plan(), Silent())
    assert record.status == "done"
    assert set(record.results.machines) == {"fan", "valve"}
    assert (removed[0] / "rows.npy").is_file()


def test_a_run_without_embeddings_of_a_machine_type_is_never_done(plan, monkeypatch):
    from asdbench.harness.fits import Fit

    def gone(self, done, machines):
        raise FileNotFoundError

    monkeypatch.setattr(Fit, "read_into", gone)
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
    from asdbench.harness.pipeline import record_failure

    whole = plan()
    (done,) = execute(whole, Silent())
    failure = Failure(stage="fit", machine=None, reason="its process was killed")
    assert record_failure(whole, whole.cells[0], [failure]) == done
    assert list(execute(whole, Silent())) == [done]


def test_a_component_that_leaves_is_a_failure_and_not_the_end(plan, monkeypatch, fresh_cache):
    from asdbench.extractors.raw_mel import RawMel

    def leave(*_):
        raise SystemExit(0)

    monkeypatch.setattr(RawMel, "fit", leave)
    (record,) = execute(plan(), Silent())
    assert record.status == "failed"
    assert record.failures[0].reason.startswith("SystemExit: 0 (")
    assert "test_failures.py, line " in record.failures[0].reason, "where it left"


def test_a_disk_that_fills_while_embeddings_are_written_ends_the_command(plan, monkeypatch, fresh_cache):
    """By a limit on the size of files, which the operating system itself enforces."""
    import resource

    from asdbench.core.errors import DiskFullError
    from asdbench.extractors.raw_mel import RawMel

    monkeypatch.setattr(RawMel, "embed", lambda self, clips, context: np.ones((len(clips), 200_000), np.float32))
    of_features = plan(extractor=["twfr"], scorer=["random"], params={"frontend.n_mels": "16"})
    list(execute(of_features, Silent()))  # features are there
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(DiskFullError, match=r"No room left on the disk while writing .*embeddings"):
            list(execute(plan(params={"frontend.n_mels": "16"}), Silent()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, was)


DEADLY = """
import os, signal
from asdbench.extractors.raw_mel import RawMel

class Deadly(RawMel):
    def fit(self, clips, context):
        if clips[0].machine == "fan":
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_one_fit_with_it(zygote, small_dataset, tmp_path):
    cards = tmp_path / "mine" / "registry" / "extractors"
    cards.mkdir(parents=True)
    (tmp_path / "mine" / "deadly_extractor.py").write_text(DEADLY)
    own = (raw_mel_card().replace("asdbench.extractors.raw_mel:RawMel", "deadly_extractor:Deadly"),)
    (cards / "deadly.toml").write_text(own[0])
    words = ("--extractor", "deadly", "--extractor", "raw-mel", "--scorer", "knn", "--jobs", 2, "--json")
    files = {"cache": tmp_path / "cache", "log": tmp_path / "log", "out": tmp_path / "out"}
    words += ("--dataset", small_dataset, "--plugin-path", tmp_path / "mine", "--out", tmp_path / "runs")
    assert zygote.wait(zygote.start("run", *words, **files)) == 1, files["log"].read_text()
    deadly, sound = json.loads(files["out"].read_text())["runs"]
    assert (deadly["status"], sound["status"]) == ("failed", "done")
    (failure,) = deadly["failures"]
    assert (failure["stage"], failure["machine"]) == ("fit", "fan")
    assert "killed (SIGKILL, most likely for want of memory)" in failure["reason"]
    record = json.loads((tmp_path / "runs" / deadly["run_id"] / "run.json").read_text())
    assert set(record["salvaged"]) == {"valve"}


def raw_mel_card() -> str:
    from asdbench.registry.plugins import own_source

    return (own_source().folder / "extractors" / "raw-mel.toml").read_text()
