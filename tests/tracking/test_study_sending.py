"""A study's folder sent while it goes on, and completed."""

import shutil

import pytest

from asdbench.core.files import write_text
from asdbench.tracking.client import Client
from asdbench.tracking.receipts import study_is_sent
from asdbench.tracking.store import store_of
from asdbench.tracking.study_sending import send_study
from asdbench.tracking.sync import sync
from asdbench.tuning.record import Part, StudyRecord, TrialRecord

SCORES = {0: 0.55, 1: 0.65, 4: 0.7}


def _part(score):
    return Part(official_score=score, terms=[score] * 3, auc_source=score + 0.1, auc_target=score - 0.1, pauc=score)


def _trial(number, state="done", reason=""):
    score = SCORES.get(number, 0.4)
    parts = {seed: {"fan": _part(score + 0.02 * seed), "valve": _part(score)} for seed in (0, 1)}
    return TrialRecord(
        study="simclr-knn", number=number, state=state, params={"knn.n_neighbors": number + 1, "scorer": "knn"},
        values=[score, 12.0] if state == "done" else [], parts=parts if state == "done" else {0: {"fan": _part(0.4)}},
        runs=["a", "b"] if state == "done" else [], reason=reason, worker="host:1",
        started_at=f"2026-11-22T10:0{number}:00+00:00", seconds=30.0,
    )  # fmt: skip


def _write(folder, trials, identity="1" * 32):
    for trial in trials:
        write_text(folder / "trials" / f"{trial.number:04d}.json", trial.model_dump_json())
    states = [trial.state for trial in trials]
    done = {trial.number: trial.values[0] for trial in trials if trial.state == "done"}
    best = max(done, key=lambda number: done[number])
    study = StudyRecord(
        name="simclr-knn", id=identity, asked={"extractor": ["simclr"], "scorer": ["knn"], "params": {}},
        dataset="synthetic", fingerprint="f" * 32, protocol="dcase2023", machines=["fan", "valve"], seeds=[0, 1],
        objectives=["score", "seconds"], sampler="tpe", pruner="median",
        space={"knn.n_neighbors": {"low": 1, "high": 9}}, defaults={"knn.n_neighbors": 1}, admissible=True,
        storage="postgresql://h/optuna", git_commit="c" * 40,
        counts={state: states.count(state) for state in ("done", "pruned", "failed")},
        best={"score": done[best], "trial": best}, default={"score": done[0], "trial": 0},
        leave_one_out=None, pareto=[best], importances={"knn.n_neighbors": 1.0}, updated_at="2026-11-22T10:09:00+00:00",
    )  # fmt: skip
    write_text(folder / "study.json", study.model_dump_json())


def _runs(store):
    from mlflow import MlflowClient

    client = MlflowClient(store.uri)
    runs = client.search_runs([client.get_experiment_by_name("synthetic").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {
        int(run.data.tags["asdbench.trial"]): run
        for run in runs
        if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    }
    assert len(children) == len(runs) - 1
    return client, parent, children


def test_trials_are_children_of_their_study_and_sent_once(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    store, folder = store_of(tmp_path, {}), tmp_path / "studies" / "simclr-knn"
    first = [_trial(0), _trial(1), _trial(2, "pruned", "below the median"), _trial(3, "failed", "it is singular")]
    _write(folder, first)
    assert send_study(Client(store), folder).outcome == "sent"
    assert send_study(Client(store), folder).outcome == "there"
    _, parent, children = _runs(store)
    assert parent.info.run_name == "study simclr-knn"
    assert parent.data.params["extractor"] == "simclr"
    assert parent.data.metrics["official_score"] == 0.65
    assert parent.data.metrics["default_score"] == 0.55
    assert parent.data.metrics["importance/knn.n_neighbors"] == 1.0
    assert {number: run.info.status for number, run in children.items()} == {
        0: "FINISHED", 1: "FINISHED", 2: "KILLED", 3: "FAILED",
    }  # fmt: skip
    assert children[3].data.tags["asdbench.reason"] == "it is singular"
    assert "official_score" not in children[2].data.metrics
    assert children[2].data.metrics["official_score/fan"] == 0.4
    own = children[1].data
    assert own.params["knn.n_neighbors"] == "2"
    assert (own.metrics["official_score"], own.metrics["seconds"]) == (0.65, 12.0)
    assert own.metrics["official_score/fan"] == pytest.approx(0.66)  # mean over two seeds
    assert (parent.data.tags["asdbench.best_trial"], parent.data.tags["asdbench.default_trial"]) == ("1", "0")

    _write(folder, [*first, _trial(4)])
    write_text(folder / "best.toml", "extractor = 'simclr'")
    write_text(folder / "report.html", "<html>")
    assert not study_is_sent(folder, store)
    assert [done.state for done in sync(tmp_path, store)] == ["sent"]
    assert [done.state for done in sync(tmp_path, store)] == ["there"]
    client, parent, children = _runs(store)
    assert sorted(children) == [0, 1, 2, 3, 4]
    assert parent.data.tags["asdbench.best_trial"] == "4"  # and no trial says of itself that it is the best
    assert not [run for run in children.values() if "best" in str(run.data.tags)]
    history = client.get_metric_history(parent.info.run_id, "trials/done")
    assert sorted((point.step, point.value) for point in history) == [(4, 2), (5, 3)]
    names = sorted(entry.path for entry in client.list_artifacts(parent.info.run_id))
    assert names == ["best.toml", "report.html", "study.json"]

    _write(tmp_path / "elsewhere" / "simclr-knn", [_trial(0, reason="elsewhere")], "2" * 32)  # of the same name
    assert send_study(Client(store), tmp_path / "elsewhere" / "simclr-knn").mlflow_run != parent.info.run_id

    client.delete_run(parent.info.run_id)
    _write(folder, [*first, _trial(4), _trial(5)])
    assert send_study(Client(store), folder).outcome == "there"
    assert study_is_sent(folder, store)
    # The trials that were there before, and the other study with its trial.
    assert len(client.search_runs([parent.info.experiment_id])) == 5 + 2
