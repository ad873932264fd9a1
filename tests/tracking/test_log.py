"""Runs logged to a real store, whole, by halves, and twice at once."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import made_run
from mlflow_stores import STEPS, assert_whole, at, contents, cut_at_every_step
from postgres import postgres

from asdbench.core.files import write_text
from asdbench.harness.record import load_record, write_record
from asdbench.tracking.log import log_run
from asdbench.tracking.marks import Mark, content_of, is_sent, read_mark, write_mark
from asdbench.tracking.store import connect
from asdbench.tracking.sync import Sender, sync
from asdbench.tracking.view import TAG


@pytest.mark.slow
def test_runs_are_stored_in_postgresql_and_its_password_nowhere(tmp_path, send):
    with postgres() as uri:
        store, folder = at(uri, tmp_path), _made(tmp_path, machines=("fan",))
        assert send(store, folder).state == "sent"
        assert_whole(store, folder, tmp_path)
        _, (parent,), children = contents(store)
        shown = repr([run.to_dictionary() for run in (parent, *children[parent.info.run_id])])
        wrong = send(at(uri.replace("s3cret", "wr0ng"), tmp_path), _made(tmp_path, seed=1))
        assert wrong.state == "away"
        paths = [path for path in tmp_path.rglob("*.*") if path.is_file()]
        shown += repr(wrong) + "".join(path.read_text(errors="replace") for path in paths)
        for secret in ("s3cret-p@ss/word", "s3cret-p%40ss%2Fword", "wr0ng"):
            assert secret not in shown


def _made(root, machines=("fan", "valve"), **options):
    return made_run(root, "simclr", "knn", parameters=9, machines=machines, **options)


def test_a_run_is_sent_once_with_everything(tmp_path, store, send):
    folder = _made(tmp_path)
    assert send(store, folder).state == "sent"
    parent = assert_whole(store, folder, tmp_path)
    mark = read_mark(folder, store)
    assert (mark.mlflow_run, mark.experiment, mark.reason) == (parent.info.run_id, "synthetic", None)
    assert is_sent(folder, store)
    again = send(store, folder)
    assert (again.state, again.mlflow_run) == ("there", parent.info.run_id)
    (folder / "tracking.json").unlink()  # on another machine, for instance
    assert send(store, folder).state == "there"
    assert len(contents(store)[1]) == 1


def test_what_an_older_version_has_sent_is_found_again(tmp_path, store, send):
    folder = _made(tmp_path)
    first = send(store, folder)
    mark = {"mlflow_run": first.mlflow_run, "record": "d", "files": {}, "sent_at": "2026-11-22T10:00:00+00:00"}
    write_text(folder / "tracking.json", json.dumps({"schema_version": 1, "stores": {store.shown: mark}}))
    again = send(store, folder)
    assert (again.state, again.mlflow_run) == ("there", first.mlflow_run)
    assert_whole(store, folder, tmp_path)


def test_a_report_made_later_goes_to_the_same_run(tmp_path, store, send):
    folder = _made(tmp_path)
    first = send(store, folder)
    write_text(folder / "report.html", "<html>")
    assert not is_sent(folder, store)
    again = send(store, folder)
    assert (again.state, again.mlflow_run) == ("sent", first.mlflow_run)
    assert_whole(store, folder, tmp_path)
    assert is_sent(folder, store)
    write_text(folder / "report.html", "<html> of a new version")
    assert send(store, folder).state == "sent"
    copy = contents(store)[0].download_artifacts(first.mlflow_run, "report.html", str(tmp_path))
    assert Path(copy).read_text() == "<html> of a new version"


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_run_deleted_on_mlflows_page_stays_deleted_whatever_comes_to_its_folder(tmp_path, store, send, forgotten):
    folder = _made(tmp_path)
    first = send(store, folder)
    contents(store)[0].delete_run(first.mlflow_run)
    write_text(folder / "report.html", "<html>")
    if forgotten:
        (folder / "tracking.json").unlink()
    again = send(store, folder)
    assert (again.state, again.mlflow_run) == ("there", first.mlflow_run)
    assert not contents(store)[1]
    assert is_sent(folder, store)


def test_a_run_done_again_is_another_one(tmp_path, store, send):
    folder = _made(tmp_path)
    first = send(store, folder)
    write_record(folder, load_record(folder).model_copy(update={"finished_at": "2026-11-23T10:00:00+00:00"}))
    assert not is_sent(folder, store)
    assert send(store, folder).mlflow_run != first.mlflow_run
    assert len(contents(store)[1]) == 2


@pytest.mark.parametrize("steps", [STEPS, STEPS[-2:]], ids=["all", "last"])
def test_a_sending_that_is_cut_anywhere_is_taken_up_and_nothing_is_doubled(tmp_path, store, monkeypatch, steps):
    folder, client = _made(tmp_path, machines=("fan",)), connect(store)
    write_text(folder / "report.html", "<html>")

    def work():
        assert not is_sent(folder, store)
        log_run(client, store, folder)

    assert cut_at_every_step(monkeypatch, steps, work) >= 2
    assert_whole(store, folder, tmp_path)
    assert is_sent(folder, store)


def test_two_senders_at_once_send_it_once(tmp_path, store):
    folders = [_made(tmp_path, seed=seed) for seed in range(3)]
    states = []

    def work():
        states.extend(Sender(store).send(folder).state for folder in folders)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == ["sent"] * 3 + ["there"] * 3
    for folder in folders:
        assert_whole(store, folder, tmp_path)


def test_a_machine_type_may_have_any_name(tmp_path, store, send):
    names = ("fan 'old'", 'b"c', "d`e", "f%g")
    folder = _made(tmp_path, machines=names)
    assert send(store, folder).state == "sent"
    client, (parent,), _ = contents(store)
    scores = {name for name in parent.data.metrics if name.startswith("official_score/")}
    assert scores == {"official_score/fan _old_", "official_score/b_c", "official_score/d_e", "official_score/f_g"}
    view = json.loads(client.get_experiment(parent.info.experiment_id).tags[TAG])
    assert scores < {column.split("`")[1] for column in view["selectedColumns"]}
    (folder / "tracking.json").unlink()
    assert send(store, folder).state == "there"


def test_the_view_of_an_experiment_has_the_machine_types_of_all_its_runs(tmp_path, store, send):
    for names in (("fan", "valve"), ("pump",), ("fan",)):
        assert send(store, _made(tmp_path, machines=names)).state == "sent"
    client = contents(store)[0]
    view = json.loads(client.get_experiment_by_name("synthetic").tags[TAG])
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`official_score`", False)
    names = ["official_score", *(f"official_score/{machine}" for machine in ("fan", "pump", "valve"))]
    assert view["selectedColumns"][:4] == [f"metrics.`{name}`" for name in names]
    assert view["columnOrder"][1:] == view["selectedColumns"]
    assert set(view["columnWidths"]) == set(view["columnOrder"])


def test_experiments_are_the_data_sets_unless_one_is_named(tmp_path, store, send):
    folder = _made(tmp_path, dataset="pumps of hall 3")
    send(store, folder)
    send(replace(store, experiment="all", artifacts=(tmp_path / "x").as_uri()), _made(tmp_path))
    assert len(contents(store, "pumps of hall 3")[1]) == len(contents(store, "all")[1]) == 1
    client = contents(store)[0]
    client.delete_experiment(client.get_experiment_by_name("pumps of hall 3").experiment_id)
    refused = send(store, _made(tmp_path, dataset="pumps of hall 3", seed=1))
    assert refused.state == "failed"
    assert "MLFLOW_EXPERIMENT_NAME" in refused.reason


def test_a_mark_for_a_run_that_the_store_does_not_know_is_worth_nothing(tmp_path, store, send, empty_database):
    folder = _made(tmp_path)
    write_mark(folder, store, Mark(mlflow_run="0" * 32, content=content_of(folder), sent_at="now"))
    assert not is_sent(folder, store)
    assert send(store, folder).state == "sent"  # a database that was made anew
    assert_whole(store, folder, tmp_path)
    assert is_sent(folder, store)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    assert not is_sent(folder, store)
    (tmp_path / "mlflow.db").unlink()
    assert not is_sent(folder, store)


def test_a_damaged_record_is_refused_and_loses_no_other(tmp_path, store):
    bad, good = _made(tmp_path, seed=0), _made(tmp_path, seed=1)
    (bad / "run.json").write_text(json.dumps({"schema_version": 4}))
    states = {one.folder: one.state for one in sync(tmp_path, store)}
    assert states == {bad: "failed", good: "sent"}
    assert "damaged" in read_mark(bad, store).reason
