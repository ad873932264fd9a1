"""``run --tracking mlflow``, ``track sync``, ``track status`` and ``ui``, as a user gives them."""

import os
import re
import shutil

import pytest
from browser import chromium
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
    told = again.json["runs"][0]["tracking"]
    assert told["store"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert (told["reason"], told["experiment"]) == (None, "small")
    client = MlflowClient(store_of(tmp_path).uri)
    parent = client.get_run(told["run"])
    assert parent.data.metrics["official_score"] == run["official_score"]
    assert parent.data.params["extractor.epochs"] == "2"
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{told['run']}'")
    for child in children:
        history = client.get_metric_history(child.info.run_id, "loss")
        assert [point.step for point in sorted(history, key=lambda one: one.step)] == [1, 2]
    names = [entry.path for entry in client.list_artifacts(told["run"])]
    assert sorted(names) == ["extractor", "report.html", "run.json", "scores"]
    kept = [entry.path for entry in client.list_artifacts(told["run"], "extractor")]
    assert kept == ["extractor/fan", "extractor/valve"]
    assert any(one.path.endswith(".safetensors") for one in client.list_artifacts(told["run"], "extractor/fan"))
    assert told["run"] in cli("runs", "show", run["run_id"], "--out", tmp_path).out


def test_a_run_whose_server_is_away_is_done_and_sync_sends_it_later(
    cli, small_dataset, tmp_path, monkeypatch, mlflow_server
):
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:hunter22@127.0.0.1:{port}/")
    monkeypatch.setattr("asdbench.cli.tracking.WAIT_S", 60.0)  # a loaded machine is slow to start Python
    words = ("run", "--extractor", "raw-mel", "--scorer", "knn", "--dataset", small_dataset, "--out", tmp_path)
    outcome = cli(*words, "--tracking", "mlflow", "--json")
    assert outcome.code == 0, outcome.err
    reason = f"http://127.0.0.1:{port} does not answer: Connection refused"
    assert outcome.json["runs"][0]["tracking"]["reason"] == reason
    assert f"1 is not sent: {reason}" in outcome.err.replace("\n", " ")
    assert "asdbench track sync --out" in outcome.err
    shown = cli("runs", "show", outcome.json["runs"][0]["run_id"], "--out", tmp_path).out
    assert reason in shown
    failing = cli("track", "sync", "--out", tmp_path)
    assert failing.code == 1
    assert reason in failing.err
    status = cli("track", "status", "--out", tmp_path)
    assert reason in status.out
    assert "0 of 1" in status.out
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    sent = cli("track", "sync", "--out", tmp_path, "--json")
    assert sent.code == 0, sent.err
    assert [one["state"] for one in sent.json["runs"]] == ["sent"]
    assert [one["state"] for one in cli("track", "sync", "--out", tmp_path, "--json").json["runs"]] == ["there"]
    assert "1 of 1" in cli("track", "status", "--out", tmp_path).out
    (file,) = tmp_path.glob("*/tracking.json")
    kept = file.read_text()
    file.write_text(re.sub(r'"mlflow_run": "\w+"', f'"mlflow_run": "{"0" * 32}"', kept))  # the server was made anew
    assert "0 of 1" in cli("track", "status", "--out", tmp_path).out
    file.write_text(kept)
    everything = outcome.out + outcome.err + shown + failing.err + status.out + sent.out
    everything += "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "hunter22" not in everything


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
    monkeypatch.setattr("asdbench.cli.tracking.WAIT_S", 60.0)  # a loaded machine is slow to start Python
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
    assert parent.data.metrics["official_score"] == max(run.data.metrics["official_score"] for run in trials)


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


def test_ui_of_a_server_is_its_address_without_the_password(cli, tmp_path, monkeypatch, mlflow_server):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.replace("http://", "http://ann:hunter22@"))
    assert cli("ui", "--out", tmp_path, "--no-browser").out == f"{mlflow_server}\n"


@pytest.mark.slow
def test_the_page_shows_runs_side_by_side(tmp_path, mlflow_server):
    """What ``asdbench ui`` starts, looked at in Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test")
    if chromium() is None:
        pytest.skip("no Chromium on this machine: no browser test")
    store = store_of(tmp_path, {"MLFLOW_TRACKING_URI": mlflow_server, "MLFLOW_EXPERIMENT_NAME": "side by side"})
    made_run(tmp_path, "raw-mel", "knn", seed=0)
    made_run(tmp_path, "simclr", "knn", seed=0, parameters=11_000_000, quality=1.6)
    assert [done.state for done in sync(tmp_path, store)] == ["sent", "sent"]
    _look(playwright, mlflow_server, os.environ.get("ASDBENCH_TEST_PICTURES"))


def _look(playwright, address: str, pictures: str | None) -> None:
    """The list of runs, and the page that compares two of them."""
    import requests

    def ask(path, body):
        return requests.post(f"{address}/api/2.0/mlflow/{path}", json=body, timeout=20).json()

    found = requests.get(
        f"{address}/api/2.0/mlflow/experiments/get-by-name", {"experiment_name": "side by side"}, timeout=20
    ).json()["experiment"]["experiment_id"]
    runs = ask("runs/search", {"experiment_ids": [found], "max_results": 100})["runs"]
    parents = [
        run["info"]["run_id"]
        for run in runs
        if not any(tag["key"] == "mlflow.parentRunId" for tag in run["data"]["tags"])
    ]
    assert len(parents) == 2
    assert len(runs) == 8
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1500, "height": 1000}, reduced_motion="reduce")
        page.set_default_timeout(60_000)
        page.goto(f"{address}/#/experiments/{found}/runs")
        for name in ("raw-mel + knn, seed 0", "simclr + knn, seed 0"):
            page.get_by_text(name, exact=True).first.wait_for()
        if pictures:
            page.wait_for_timeout(3000)
            page.screenshot(path=f"{pictures}/runs.png")
        names = ",".join(f'"{run}"' for run in parents)
        page.goto(f'{address}/#/compare-runs?runs=[{names}]&experiments=["{found}"]')
        page.get_by_text("official_score", exact=True).first.wait_for()
        text = page.inner_text("body")
        for word in ("raw-mel + knn, seed 0", "simclr + knn, seed 0", "scorer.n_neighbors", "auc_source/fan"):
            assert word in text
        if pictures:
            page.wait_for_timeout(3000)
            page.screenshot(path=f"{pictures}/compare.png", full_page=True)
            page.goto(f"{address}/#/experiments/{found}/runs/{parents[0]}/model-metrics")
            page.wait_for_timeout(6000)
            page.screenshot(path=f"{pictures}/metrics.png", full_page=True)
            page.goto(f"{address}/#/experiments/{found}/runs/{parents[0]}")
            page.wait_for_timeout(6000)
            page.screenshot(path=f"{pictures}/run.png", full_page=True)
        browser.close()
