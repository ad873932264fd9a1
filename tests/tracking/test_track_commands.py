"""``run --tracking mlflow``, ``track sync``, ``track status`` and ``ui``, as a user gives them."""

import re
import shutil

import pytest
from made_runs import made_run
from mlflow_stores import contents
from postgres import free_port
from waiting import until

from asdbench.tracking.marks import is_sent
from asdbench.tracking.store import store_of
from asdbench.tracking.sync import sync


def _run(cli, small_dataset, out, *words):
    return cli(
        "run", "--extractor", "autoencoder", "-p", "autoencoder.epochs=2", "--scorer", "knn",
        "--dataset", small_dataset, "--out", out, "--json", *words,
    )  # fmt: skip


def test_a_run_is_tracked_with_its_losses_and_its_trained_extractor(
    cli, small_dataset, tmp_path, empty_database, monkeypatch
):
    from mlflow import MlflowClient

    monkeypatch.setenv("ASDBENCH_TRACKING", "mlflow")
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    outcome = _run(cli, small_dataset, tmp_path, "--report")
    assert outcome.code == 0, outcome.err
    assert not {"mlflow", "optuna", "alembic"} & set(re.findall(r"^\w+", outcome.err, re.MULTILINE))
    (run,) = outcome.json["runs"]
    assert run["tracking"]["store"] == f"sqlite:///{tmp_path}/mlflow.db"
    folder, store = tmp_path / run["run_id"], store_of(tmp_path)
    until(lambda: is_sent(folder, store))
    with monkeypatch.context() as patch:
        patch.setattr("subprocess.Popen", None)  # what is there and sent starts no process
        again = _run(cli, small_dataset, tmp_path)
    assert again.code == 0, again.err
    tracking = again.json["runs"][0]["tracking"]
    assert tracking["store"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert (tracking["reason"], tracking["experiment"]) == (None, "small")
    client = MlflowClient(store_of(tmp_path).uri)
    parent = client.get_run(tracking["run"])
    assert parent.data.metrics["official_score"] == run["official_score"]
    assert parent.data.params["extractor.epochs"] == "2"
    for machine in ("fan", "valve"):
        history = client.get_metric_history(tracking["run"], f"loss/{machine}")
        assert [point.step for point in sorted(history, key=lambda one: one.step)] == [1, 2]
    names = [entry.path for entry in client.list_artifacts(tracking["run"])]
    assert sorted(names) == ["extractor", "report.html", "run.json", "scores"]
    folders = [entry.path for entry in client.list_artifacts(tracking["run"], "extractor")]
    assert folders == ["extractor/fan", "extractor/valve"]
    assert any(one.path.endswith(".safetensors") for one in client.list_artifacts(tracking["run"], "extractor/fan"))
    assert tracking["run"] in cli("runs", "show", run["run_id"], "--out", tmp_path).out


def test_one_that_cannot_be_sent_does_not_stop_the_others(cli, tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    bad, _ = made_run(tmp_path, seed=0), made_run(tmp_path, seed=1)
    (bad / "run.json").write_text("{}")
    outcome = cli("track", "sync", "--out", tmp_path)
    assert outcome.code == 1
    assert "1 sent, 0 there already, 1 failed" in outcome.out
    assert f"not sent: {bad.name}" in outcome.err


def test_a_study_is_tracked_with_its_trials(cli, small_dataset, tmp_path, store, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the study's storage goes
    monkeypatch.setattr("asdbench.tuning.tune.write_study_report", lambda *_: None)  # seconds, and not looked at here
    monkeypatch.setattr("asdbench.tracking.background.WAIT_S", 60.0)  # a loaded machine is slow to start Python
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"http://ann:hunter22@127.0.0.1:{free_port()}/")
        outcome = cli(
            "tune", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--only", "knn",
            "--space", "knn.n_neighbors=1:12", "--trials", 2, "--out", tmp_path, "--tracking", "mlflow", "--json",
        )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "tracking: 1 is not sent: " in outcome.err
    assert "hunter22" not in outcome.err + outcome.out
    assert [one.state for one in sync(tmp_path, store)] == ["sent"]
    _, (parent,), children = contents(store, "small")
    trials = children[parent.info.run_id]
    assert sorted(run.data.tags["asdbench.trial"] for run in trials) == ["0", "1"]
    assert parent.data.metrics["official_score"] == max(run.data.metrics["trial_score"] for run in trials)


def test_tracking_none_leaves_nothing(cli, small_dataset, tmp_path):
    outcome = cli(
        "run", "--extractor", "raw-mel", "--scorer", "knn", "--dataset", small_dataset, "--out", tmp_path,
        "--tracking", "none", "--json",
    )  # fmt: skip
    assert outcome.json["runs"][0]["tracking"] is None
    assert not [path for path in tmp_path.rglob("*") if "mlflow" in path.name or path.name == "tracking.json"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"option": "wandb"}, "--tracking: Input should be 'mlflow' or 'none'"),
        ({"variable": "yes"}, "ASDBENCH_TRACKING=yes: accepted are mlflow and none."),
        ({"file": 'tracking = "on"'}, "tracking: Input should be 'mlflow' or 'none'"),
    ],
)
def test_another_word_for_tracking_is_refused(cli, tmp_path, monkeypatch, given, said):
    words = ["run", "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "runs"]
    if "option" in given:
        words += ["--tracking", given["option"]]
    if "variable" in given:
        monkeypatch.setenv("ASDBENCH_TRACKING", given["variable"])
    if "file" in given:
        (tmp_path / "run.toml").write_text(given["file"])
        words += ["--config", tmp_path / "run.toml"]
    outcome = cli(*words)
    assert outcome.code == 2
    assert said in outcome.err


def test_ui_says_what_is_missing(cli, tmp_path, monkeypatch):
    nothing = cli("ui", "--out", tmp_path, "--no-browser")
    assert nothing.code == 3
    assert "nothing was logged yet" in nothing.err
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:hunter22@127.0.0.1:{free_port()}")
    away = cli("ui", "--out", tmp_path, "--no-browser")
    assert away.code == 3
    assert "Connection refused" in away.err
    assert "hunter22" not in away.err
