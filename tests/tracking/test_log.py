"""Runs and studies logged to a real store, whole, by halves, and twice at once."""

import json
import shutil
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import made_run
from made_studies import made_study, made_trial, plain_part
from mlflow_stores import at, contents
from postgres import free_port, postgres

from asdbench.core.files import write_text
from asdbench.harness.record import load_record, write_record
from asdbench.tracking.log import log_run
from asdbench.tracking.marks import Mark, content_of, is_sent, read_mark, write_mark
from asdbench.tracking.store import connect
from asdbench.tracking.sync import Sender, sync
from asdbench.tracking.ui import served


def _files(client, run_id, folder=None):
    found = []
    for entry in client.list_artifacts(run_id, folder):
        found += _files(client, run_id, entry.path) if entry.is_dir else [entry.path]
    return sorted(found)


def _assert_whole(store, folder, tmp_path):
    """Everything of the run is in the store, once."""
    client, parents, children = contents(store)
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
    assert _files(client, parent.info.run_id) == here
    copy = client.download_artifacts(parent.info.run_id, "run.json", str(tmp_path))
    assert Path(copy).read_bytes() == (folder / "run.json").read_bytes()
    return parent


def _made(root, **options):
    return made_run(root, "simclr", "knn", parameters=9, **options)


def test_a_run_is_sent_once_with_everything(tmp_path, store, send):
    folder = _made(tmp_path)
    assert send(store, folder).state == "sent"
    parent = _assert_whole(store, folder, tmp_path)
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
    _assert_whole(store, folder, tmp_path)


def test_a_report_made_later_goes_to_the_same_run(tmp_path, store, send):
    folder = _made(tmp_path)
    first = send(store, folder)
    write_text(folder / "report.html", "<html>")
    assert not is_sent(folder, store)
    again = send(store, folder)
    assert (again.state, again.mlflow_run) == ("sent", first.mlflow_run)
    _assert_whole(store, folder, tmp_path)
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


class _CutError(Exception):
    pass


STEPS = ("create_run", "log_batch", "log_inputs", "log_artifact", "log_artifacts", "set_tag", "set_terminated")


def _cut_at_every_step(monkeypatch, steps, work):
    """Do the work again and again; each time it is cut a step later, until it is done. How often it was cut."""
    from mlflow import MlflowClient

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
    for cuts in range(100):
        left[0] = cuts
        with suppress(_CutError):
            work()
            left[0] = 10**6
            return cuts
    raise AssertionError("it is never done")


@pytest.mark.parametrize("steps", [STEPS, STEPS[-2:]], ids=["all", "last"])
def test_a_sending_that_is_cut_anywhere_is_taken_up_and_nothing_is_doubled(tmp_path, store, monkeypatch, steps):
    folder, client = _made(tmp_path), connect(store)
    write_text(folder / "report.html", "<html>")

    def work():
        assert not is_sent(folder, store)
        log_run(client, store, folder)

    assert _cut_at_every_step(monkeypatch, steps, work) > 3
    _assert_whole(store, folder, tmp_path)
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
        _assert_whole(store, folder, tmp_path)


def test_a_machine_type_may_have_any_name(tmp_path, store, send):
    names = ("fan 'old'", 'b"c', "d`e", "f%g")
    folder = _made(tmp_path, machines=names)
    assert send(store, folder).state == "sent"
    _, (parent,), children = contents(store)
    assert {run.data.tags["machine"] for run in children[parent.info.run_id]} == set(names)
    (folder / "tracking.json").unlink()
    assert send(store, folder).state == "there"


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
    _assert_whole(store, folder, tmp_path)
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


def test_a_server_holds_what_was_sent(tmp_path, mlflow_server, send):
    folder, store = _made(tmp_path), at(mlflow_server, tmp_path)
    assert send(store, folder).state == "sent"
    _assert_whole(store, folder, tmp_path)
    assert send(store, folder).state == "there"
    write_mark(folder, store, Mark(mlflow_run="0" * 32, content=content_of(folder)))  # of a server that was made anew
    assert send(store, folder).state == "there"
    assert read_mark(folder, store).mlflow_run != "0" * 32


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
    assert "official_score" not in children[2].data.metrics
    assert children[2].data.metrics["official_score/fan"] == 0.4
    trial = children[1].data
    assert trial.params["knn.n_neighbors"] == "2"
    assert (trial.metrics["official_score"], trial.metrics["seconds"]) == (0.65, 12.0)
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
    assert _files(client, parent.info.run_id) == ["best.toml", "report.html", "study.json"]
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
    assert _cut_at_every_step(monkeypatch, STEPS, lambda: log_run(client, store, folder)) > 3
    _, parent, children = _study_of(store)
    assert sorted(children) == [0, 1, 2, 3]
    assert parent.data.metrics["trials/done"] == 2
    assert children[3].info.status == "FAILED"


@pytest.mark.slow
def test_runs_are_kept_in_postgresql_and_its_password_nowhere(tmp_path, send):
    with postgres() as uri:
        store = at(uri, tmp_path)
        with served(store, free_port()) as (address, _):  # a server on it, then the database itself
            over_server, folder = at(address, tmp_path), _made(tmp_path)
            assert send(over_server, folder).state == "sent"
            _assert_whole(over_server, folder, tmp_path)
        assert send(store, folder).state == "there"
        _, (parent,), children = contents(store)
        shown = repr([run.to_dictionary() for run in (parent, *children[parent.info.run_id])])
        wrong = send(at(uri.replace("s3cret", "wr0ng"), tmp_path), _made(tmp_path, seed=1))
        assert wrong.state == "away"
        shown += repr(wrong) + "".join(
            path.read_text(errors="replace") for path in tmp_path.rglob("*.*") if path.is_file()
        )
        for secret in ("s3cret-p@ss/word", "s3cret-p%40ss%2Fword", "wr0ng"):
            assert secret not in shown
