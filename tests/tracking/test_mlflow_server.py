"""A real MLflow server: what it gets, and what is done when it is away."""

import json
import re
import time

import pytest
from made_runs import made_run
from mlflow_stores import assert_whole, at, contents
from postgres import free_port

from asdbench.tracking.marks import Mark, content_of, read_mark, write_mark
from asdbench.tracking.store import store_of
from asdbench.tracking.sync import Sender, sync
from asdbench.tracking.ui import opening_page

PASSWORD = "hunter22-s3cret"


def _parents(store, folder):
    return sum(run.data.tags["asdbench.run_id"] == folder.name for run in contents(store)[1])


@pytest.mark.parametrize("kind", ["stuck", "gone"])
def test_a_server_that_goes_in_the_middle_is_tried_no_more_and_sync_completes_it_once(
    tmp_path, line_to, mlflow_server, kind, monkeypatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    fault = line_to(mlflow_server)
    fault.kind, fault.after = kind, 5
    folders = [made_run(tmp_path, seed=seed, data=kind, machines=("fan",)) for seed in range(2)]
    broken = at(f"http://ann:{PASSWORD}@127.0.0.1:{fault.port}", tmp_path)
    started = time.monotonic()
    states = list(sync(tmp_path, broken))
    assert [one.state for one in states] == ["away"] * 2
    assert all(one.reason.startswith(f"http://127.0.0.1:{fault.port} does not answer: ") for one in states)
    assert time.monotonic() - started < 20.0  # one wait, where MLflow alone would take minutes for each
    server = at(mlflow_server, tmp_path)
    assert [done.state for done in sync(tmp_path, server)] == ["sent"] * 2
    assert [_parents(server, folder) for folder in folders] == [1, 1]
    assert {done.state for done in sync(tmp_path, server)} == {"there"}
    assert PASSWORD not in "".join((folder / "tracking.json").read_text() for folder in folders)


def test_a_store_that_comes_back_is_found_while_the_command_goes_on(tmp_path, mlflow_server, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("asdbench.tracking.sync.time.monotonic", lambda: now[0])
    folder, port = made_run(tmp_path, data="back"), free_port()
    sender = Sender(at(f"http://127.0.0.1:{port}", tmp_path))
    assert sender.send(folder).state == "away"
    sender.store = at(mlflow_server, tmp_path)
    assert sender.send(folder).state == "away"  # it is not asked again at once
    now[0] += 31.0
    assert sender.send(folder).state == "sent"


def test_a_server_has_what_was_sent_and_the_password_is_for_it_alone(tmp_path, line_to, mlflow_server, send):
    fault = line_to(mlflow_server)
    store = at(f"http://ann:{PASSWORD}@127.0.0.1:{fault.port}", tmp_path)
    folder = made_run(tmp_path, "simclr", "knn", parameters=9)
    assert send(store, folder).state == "sent"
    assert b"Authorization: Basic" in fault.heard  # it did reach the server
    run = assert_whole(at(mlflow_server, tmp_path), folder, tmp_path)
    assert list(json.loads((folder / "tracking.json").read_text())["stores"]) == [f"http://127.0.0.1:{fault.port}"]
    for text in (repr(run.to_dictionary()), (folder / "tracking.json").read_text(), repr(store)):
        assert PASSWORD not in text
        assert "ann:" not in text
    assert send(store, folder).state == "there"
    write_mark(folder, store, Mark(mlflow_run="0" * 32, content=content_of(folder)))  # of a server that was made anew
    assert send(store, folder).state == "there"
    assert read_mark(folder, store).mlflow_run == run.info.run_id


def test_a_run_whose_server_is_away_is_done_and_sync_sends_it_later(
    cli, small_dataset, tmp_path, monkeypatch, mlflow_server
):
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:hunter22@127.0.0.1:{port}/")
    monkeypatch.setattr("asdbench.tracking.background.WAIT_S", 60.0)  # a loaded machine is slow to start Python
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
    content = file.read_text()
    file.write_text(re.sub(r'"mlflow_run": "\w+"', f'"mlflow_run": "{"0" * 32}"', content))  # the server was made anew
    assert "0 of 1" in cli("track", "status", "--out", tmp_path).out
    file.write_text(content)
    everything = outcome.out + outcome.err + shown + failing.err + status.out + sent.out
    everything += "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "hunter22" not in everything


def test_ui_of_a_server_is_its_address_without_the_password(cli, tmp_path, monkeypatch, mlflow_server):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.replace("http://", "http://ann:hunter22@"))
    assert cli("ui", "--out", tmp_path, "--no-browser").out == f"{mlflow_server}\n"


@pytest.mark.slow
def test_the_page_shows_runs_side_by_side(browser, tmp_path, mlflow_server):
    """What ``asdbench ui`` starts, looked at in Chromium."""
    store = store_of(tmp_path, {"MLFLOW_TRACKING_URI": mlflow_server, "MLFLOW_EXPERIMENT_NAME": "side by side"})
    made_run(tmp_path, "raw-mel", "knn", seed=0)
    made_run(tmp_path, "simclr", "knn", seed=0, parameters=11_000_000, quality=1.6)
    assert [done.state for done in sync(tmp_path, store)] == ["sent", "sent"]
    _look(browser, mlflow_server)


def _look(browser, address: str) -> None:
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
    assert len(parents) == len(runs) == 2
    page = browser.new_page(viewport={"width": 1500, "height": 1000}, reduced_motion="reduce")
    page.set_default_timeout(60_000)
    assert opening_page(address).startswith(f"{address}/asdbench?experiment=")  # of whichever run began last
    page.goto(f"{address}/asdbench?experiment={found}")
    for name in ("raw-mel + knn, seed 0", "simclr + knn, seed 0", "official_score/valve"):
        page.get_by_text(name, exact=True).first.wait_for()
    assert "orderByKey=metrics.%60official_score%60&orderByAsc=false" in page.url
    assert page.get_by_placeholder("Ask a question...").count() == 0, "the assistant's panel stays shut"
    head = page.locator(".ag-header-cell[col-id='metrics.`official_score`']").bounding_box()
    assert head["x"] + head["width"] < 1500, "the score is on the first screen"
    names = ",".join(f'"{run}"' for run in parents)
    page.goto(f'{address}/#/compare-runs?runs=[{names}]&experiments=["{found}"]')
    page.get_by_text("official_score", exact=True).first.wait_for()
    text = page.inner_text("body")
    for word in ("raw-mel + knn, seed 0", "simclr + knn, seed 0", "scorer.n_neighbors", "auc_source/fan"):
        assert word in text
    page.close()
