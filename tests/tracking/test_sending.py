"""Runs sent to a real store, whole, by halves, and twice at once."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import made_run
from postgres import free_port, postgres

from asdbench.core.digests import file_digest
from asdbench.core.files import write_text
from asdbench.harness.record import load_record, write_record
from asdbench.tracking.client import Client
from asdbench.tracking.receipts import Receipt, read_receipt, run_is_sent, write_receipt
from asdbench.tracking.sending import send_run
from asdbench.tracking.store import Store, store_of
from asdbench.tracking.ui import served


@pytest.fixture
def store(tmp_path, empty_database) -> Store:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return store_of(tmp_path, {})


def _contents(store, experiment="synthetic"):
    """Parents and children by parent, as MLflow's own client finds them."""
    from mlflow import MlflowClient

    client = MlflowClient(store.uri)
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id]) if found else []
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {
        parent.info.run_id: [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        for parent in parents
    }
    return client, parents, children


def _files(client, run_id, folder=None):
    found = []
    for entry in client.list_artifacts(run_id, folder):
        found += _files(client, run_id, entry.path) if entry.is_dir else [entry.path]
    return sorted(found)


def _assert_whole(store, folder, tmp_path, trained=()):
    """Everything of the run is in the store, once."""
    client, parents, children = _contents(store)
    (parent,) = [run for run in parents if run.data.tags["asdbench.run_id"] == folder.name]
    record = load_record(folder)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["official_score"] == record.results.official_score
    assert sorted(run.data.tags["machine"] for run in children[parent.info.run_id]) == ["fan", "gearbox", "valve"]
    for run in (parent, *children[parent.info.run_id]):
        assert run.info.status == "FINISHED"
        assert [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss")] == [
            (1, 1.0), (2, 0.5),
        ]  # fmt: skip
        assert len(client.get_metric_history(run.info.run_id, "official_score")) == 1
        assert sorted(one.tags[0].value for one in run.inputs.dataset_inputs) == ["evaluation", "training"]
    here = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.name != "tracking.json")
    assert _files(client, parent.info.run_id) == sorted([*here, *trained])
    copy = client.download_artifacts(parent.info.run_id, "run.json", str(tmp_path))
    assert Path(copy).read_bytes() == (folder / "run.json").read_bytes()
    return parent


def _made(root, **options):
    return made_run(root, "simclr", "knn", parameters=9, **options)


def _trained(tmp_path):
    place = tmp_path / "cache" / "abc"
    place.mkdir(parents=True)
    (place / "fit.json").write_text("{}")
    (place / "weights.safetensors").write_bytes(b"w")
    nothing = tmp_path / "cache" / "def"
    nothing.mkdir()
    (nothing / "fit.json").write_text("{}")
    return {place: ["fan"], nothing: ["valve", "gearbox"]}


def test_a_run_is_sent_once_with_everything(tmp_path, store):
    folder, client = _made(tmp_path), Client(store)
    sent = send_run(client, folder, lambda: _trained(tmp_path))
    assert sent.outcome == "sent"
    parent = _assert_whole(store, folder, tmp_path, ["extractor/fan/fit.json", "extractor/fan/weights.safetensors"])
    receipt = read_receipt(folder, store)
    assert (receipt.mlflow_run, receipt.experiment) == (parent.info.run_id, "synthetic")
    assert run_is_sent(folder, store)
    again = send_run(Client(store), folder, dict)
    assert (again.outcome, again.mlflow_run) == ("there", parent.info.run_id)
    (folder / "tracking.json").unlink()  # on another machine, for instance
    assert send_run(client, folder, dict).outcome == "there"
    assert len(_contents(store)[1]) == 1


def test_a_report_made_later_goes_to_the_same_run(tmp_path, store):
    folder, client = _made(tmp_path), Client(store)
    first = send_run(client, folder, dict)
    write_text(folder / "report.html", "<html>")
    assert not run_is_sent(folder, store)
    assert send_run(client, folder, dict).mlflow_run == first.mlflow_run
    _assert_whole(store, folder, tmp_path)
    assert run_is_sent(folder, store)


def test_a_run_deleted_on_mlflows_page_stays_deleted_whatever_comes_to_its_folder(tmp_path, store):
    folder, client = _made(tmp_path), Client(store)
    first = send_run(client, folder, dict)
    _contents(store)[0].delete_run(first.mlflow_run)
    write_text(folder / "report.html", "<html>")
    again = send_run(client, folder, dict)
    assert (again.outcome, again.mlflow_run) == ("there", first.mlflow_run)
    assert not _contents(store)[1]
    assert run_is_sent(folder, store)


def test_a_run_done_again_is_another_one(tmp_path, store):
    folder, client = _made(tmp_path), Client(store)
    first = send_run(client, folder, dict)
    write_record(folder, load_record(folder).model_copy(update={"finished_at": "2026-11-23T10:00:00+00:00"}))
    second = send_run(client, folder, dict)
    assert first.mlflow_run != second.mlflow_run
    assert len(_contents(store)[1]) == 2


class _CutError(Exception):
    pass


STEPS = ("create_run", "log_batch", "log_inputs", "log_artifact", "log_artifacts", "set_tag", "set_terminated")


@pytest.mark.parametrize("steps", [STEPS, STEPS[-2:]], ids=["all", "last"])
def test_a_sending_that_is_cut_anywhere_is_taken_up_and_nothing_is_doubled(tmp_path, store, monkeypatch, steps):
    from mlflow import MlflowClient

    folder = _made(tmp_path)
    left = [10**6]

    def cutting(plain):
        def step(*words, **named):
            left[0] -= 1
            if left[0] < 0:
                raise _CutError
            return plain(*words, **named)

        return step

    for name in steps:
        monkeypatch.setattr(MlflowClient, name, cutting(getattr(MlflowClient, name)))
    cuts = 0
    while True:
        left[0] = cuts  # a step further each time, until it is done
        try:
            send_run(Client(store), folder, dict)
            break
        except _CutError:
            cuts += 1
            assert not run_is_sent(folder, store)
            assert cuts < 100
    assert cuts > 3
    left[0] = 10**6
    _assert_whole(store, folder, tmp_path)


def test_two_senders_at_once_send_it_once_whatever_their_caches(tmp_path, store, monkeypatch):
    caches = iter(range(100))
    monkeypatch.setattr("asdbench.tracking.alone.cache_root", lambda: tmp_path / f"cache-{next(caches)}")
    folders = [_made(tmp_path, seed=seed) for seed in range(3)]
    outcomes = []

    def work():
        client = Client(store)
        outcomes.extend(send_run(client, folder, dict).outcome for folder in folders)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["sent"] * 3 + ["there"] * 3
    for folder in folders:
        _assert_whole(store, folder, tmp_path)


def test_a_machine_type_may_have_any_name(tmp_path, store):
    names = ("fan 'old'", 'b"c', "d`e", "f%g")
    folder = _made(tmp_path, machines=names)
    assert send_run(Client(store), folder, dict).outcome == "sent"
    _, (parent,), children = _contents(store)
    assert {run.data.tags["machine"] for run in children[parent.info.run_id]} == set(names)
    (folder / "tracking.json").unlink()
    assert send_run(Client(store), folder, dict).outcome == "there"


def test_runs_in_a_folder_that_takes_no_locks_are_sent(tmp_path, store):
    folder = _made(tmp_path)
    (tmp_path / ".locks").touch()  # no folder can be made in its place
    assert send_run(Client(replace(store, uri=f"sqlite:///{tmp_path}/mlflow.db")), folder, dict).outcome == "sent"


def test_experiments_are_the_data_sets_unless_one_is_named(tmp_path, store):
    folder = _made(tmp_path, dataset="pumps of hall 3")
    send_run(Client(store), folder, dict)
    send_run(Client(replace(store, experiment="all", artifacts=(tmp_path / "x").as_uri())), _made(tmp_path), dict)
    assert len(_contents(store, "pumps of hall 3")[1]) == len(_contents(store, "all")[1]) == 1


def test_a_receipt_for_a_run_that_the_store_does_not_know_is_worth_nothing(tmp_path, store, empty_database):
    folder, client = _made(tmp_path), Client(store)
    write_receipt(folder, store, Receipt(mlflow_run="0" * 32, record=file_digest(folder / "run.json"), sent_at="now"))
    assert not run_is_sent(folder, store)
    assert send_run(client, folder, dict).outcome == "sent"  # a database that was made anew
    _assert_whole(store, folder, tmp_path)
    assert run_is_sent(folder, store)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    assert not run_is_sent(folder, store)
    (tmp_path / "mlflow.db").unlink()
    assert not run_is_sent(folder, store)


def test_a_server_holds_what_was_sent(tmp_path, mlflow_server):
    folder, store = _made(tmp_path, dataset="synthetic"), Store(mlflow_server, None, None, False)
    assert send_run(Client(store), folder, lambda: _trained(tmp_path)).outcome == "sent"
    _assert_whole(store, folder, tmp_path, ["extractor/fan/fit.json", "extractor/fan/weights.safetensors"])
    assert send_run(Client(store), folder, dict).outcome == "there"


@pytest.mark.slow
def test_runs_are_kept_in_postgresql_and_its_password_nowhere(tmp_path):
    with postgres() as uri:
        store = store_of(tmp_path, {"MLFLOW_TRACKING_URI": uri})
        with served(store, free_port()) as page:  # a server on it, then the database itself
            over_server = store_of(tmp_path, {"MLFLOW_TRACKING_URI": page.address})
            folder = _made(tmp_path)
            assert send_run(Client(over_server), folder, dict).outcome == "sent"
            _assert_whole(over_server, folder, tmp_path)
            assert send_run(Client(over_server), folder, dict).outcome == "there"
        assert send_run(Client(store), folder, dict).outcome == "there"
        _, (parent,), children = _contents(store)
        held = repr([run.to_dictionary() for run in (parent, *children[parent.info.run_id])])
        files = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.*") if path.is_file())
        for secret in ("s3cret-p@ss/word", "s3cret-p%40ss%2Fword"):
            assert secret not in held + files
