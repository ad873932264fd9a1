"""Studies logged to a real store, whole and by halves."""

from pathlib import Path

import pytest
from made_studies import made_study, made_trial, plain_part
from mlflow_stores import STEPS, artifacts_of, contents, cut_at_every_step

from asdbench.core.files import write_text
from asdbench.tracking.log import log_run
from asdbench.tracking.marks import is_sent
from asdbench.tracking.store import connect
from asdbench.tracking.sync import sync


def _trial(number, state="done", reason=""):
    score = {0: 0.55, 1: 0.65, 4: 0.7}.get(number, 0.4)
    parts = {seed: {"fan": plain_part(score + 0.02 * seed), "valve": plain_part(score)} for seed in (0, 1)}
    done = state == "done"
    return made_trial(
        number, state, {"knn.n_neighbors": number + 1, "scorer": "knn"}, [score, 12.0] if done else [],
        parts if done else {0: {"fan": plain_part(0.4)}}, reason=reason,
    )  # fmt: skip


def _write(folder, trials, **more):
    for trial in trials:
        write_text(folder / "trials" / f"{trial.number:04d}.json", trial.model_dump_json())
    given = {"machines": ["fan", "valve"], "objectives": ["score", "seconds"], "seeds": [0, 1], "name": "simclr-knn"}
    given |= {"defaults": {"knn.n_neighbors": 1, "scorer": "knn"}, "importances": {"knn.n_neighbors": 1.0}}
    write_text(folder / "study.json", made_study(trials, **given | more).model_dump_json())


def _study_of(store):
    client, parents, children = contents(store)
    (parent,) = [run for run in parents if run.data.tags["asdbench.study"] == "simclr-knn"]
    return client, parent, {int(run.data.tags["asdbench.trial"]): run for run in children[parent.info.run_id]}


FIRST = [_trial(0), _trial(1), _trial(2, "pruned", "below the median"), _trial(3, "failed", "it is singular")]


def test_trials_are_children_of_their_study_and_sent_once(tmp_path, store, send):
    folder = tmp_path / "studies" / "simclr-knn"
    _write(folder, FIRST)
    assert send(store, folder).state == "sent"
    assert send(store, folder).state == "there"
    _, parent, children = _study_of(store)
    assert parent.info.run_name == "study simclr-knn"
    assert parent.data.params["extractor"] == "raw-mel"
    assert parent.data.metrics["official_score"] == 0.65
    assert parent.data.metrics["default_score"] == 0.55
    assert parent.data.metrics["importance/knn.n_neighbors"] == 1.0
    assert {number: run.info.status for number, run in children.items()} == {
        0: "FINISHED", 1: "FINISHED", 2: "KILLED", 3: "FAILED",
    }  # fmt: skip
    assert children[3].data.tags["asdbench.reason"] == "it is singular"
    assert "trial_score" not in children[2].data.metrics
    assert children[2].data.metrics["official_score/fan"] == 0.4
    trial = children[1].data
    assert trial.params["knn.n_neighbors"] == "2"
    assert (trial.metrics["trial_score"], trial.metrics["seconds"]) == (0.65, 12.0)
    assert "official_score" not in trial.metrics, "the list of runs is sorted by it"
    assert trial.metrics["official_score/fan"] == pytest.approx(0.66)  # mean over two seeds
    assert (parent.data.tags["asdbench.best_trial"], parent.data.tags["asdbench.default_trial"]) == ("1", "0")

    _write(folder, [*FIRST, _trial(4)])
    write_text(folder / "best.toml", "extractor = 'raw-mel'")
    write_text(folder / "report.html", "<html>")
    assert not is_sent(folder, store)
    assert [done.state for done in sync(tmp_path, store)] == ["sent"]
    (folder / "tracking.json").unlink()
    assert [done.state for done in sync(tmp_path, store)] == ["there"]
    client, parent, children = _study_of(store)
    assert sorted(children) == [0, 1, 2, 3, 4]
    assert parent.data.tags["asdbench.best_trial"] == "4"  # and no trial says of itself that it is the best
    assert not [run for run in children.values() if "best" in str(run.data.tags)]
    history = client.get_metric_history(parent.info.run_id, "trials/done")
    assert sorted((point.step, point.value) for point in history) == [(4, 2), (5, 3)]
    assert artifacts_of(client, parent.info.run_id) == ["best.toml", "report.html", "study.json"]
    copy = client.download_artifacts(parent.info.run_id, "study.json", str(tmp_path))
    assert Path(copy).read_bytes() == (folder / "study.json").read_bytes()

    _write(tmp_path / "elsewhere" / "simclr-knn", [_trial(0)], id="2" * 32)  # of the same name
    assert send(store, tmp_path / "elsewhere" / "simclr-knn").mlflow_run != parent.info.run_id


def test_a_study_deleted_on_mlflows_page_stays_deleted_when_trials_are_added(tmp_path, store, send):
    folder = tmp_path / "studies" / "simclr-knn"
    _write(folder, FIRST)
    first = send(store, folder)
    client = contents(store)[0]
    client.delete_run(first.mlflow_run)
    _write(folder, [*FIRST, _trial(4)])
    assert send(store, folder).state == "there"
    assert is_sent(folder, store)
    assert len(client.search_runs([client.get_experiment_by_name("synthetic").experiment_id])) == len(FIRST)


def test_a_study_whose_sending_is_cut_anywhere_is_completed(tmp_path, store, monkeypatch):
    folder, client = tmp_path / "studies" / "simclr-knn", connect(store)
    _write(folder, FIRST[:2])
    log_run(client, store, folder)
    _write(folder, FIRST)
    assert cut_at_every_step(monkeypatch, STEPS, lambda: log_run(client, store, folder)) > 3
    _, parent, children = _study_of(store)
    assert sorted(children) == [0, 1, 2, 3]
    assert parent.data.metrics["trials/done"] == 2
    assert children[3].info.status == "FAILED"
