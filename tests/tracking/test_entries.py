import json
import math

import pytest
from made_runs import COMMIT, made_run, pair_accuracy

from asdbench.harness.record import load_record
from asdbench.protocols.metrics import harmonic_mean
from asdbench.tracking.entries import as_metrics, as_params, as_tags, run_entry
from asdbench.tracking.marks import Mark, read_mark, read_marks, write_mark
from asdbench.tracking.store import store_of


def _values(entry, step=0):
    return {metric.key: metric.value for metric in entry.metrics if metric.step == step}


def test_a_run_is_a_parent_and_a_child_for_each_machine_type(tmp_path):
    record = load_record(made_run(tmp_path, "simclr", "knn", 3, parameters=1000, params={"n_neighbors": 2}))
    parent = run_entry(record, "d")
    assert parent.name == "simclr + knn, seed 3"
    assert [child.key for child in parent.children] == ["fan", "gearbox", "valve"]
    assert parent.status == "FINISHED"
    assert (parent.end_ms - parent.start_ms) / 1000 == pytest.approx(sum(record.seconds.values()))
    assert parent.params["scorer.n_neighbors"] == "2"
    assert (parent.params["extractor.dim"], parent.params["frontend.hop"]) == ("128", "512")
    assert parent.tags["mlflow.source.git.commit"] == COMMIT
    assert parent.tags["asdbench.git_dirty"] == "false"
    assert parent.tags["card.knn"] == "version 1"
    assert parent.tags["asdbench.fingerprint"] == record.dataset.fingerprint

    whole = _values(parent)
    assert whole["official_score"] == record.results.official_score
    assert whole["parameters"] == 1000
    assert whole["seconds/fit"] == 12.5
    for child in parent.children:
        own = _values(child)
        result = record.results.machines[child.key]
        assert own["official_score"] == whole[f"official_score/{child.key}"] == result.official_score
        assert own["auc_source"] == whole[f"auc_source/{child.key}"] == result.auc_source
        assert own["pauc"] == whole[f"pauc/{child.key}"] == result.pauc
        assert child.params == {**parent.params, "machine": child.key}
    # The whole's term is the mean over machine types that the official program prints.
    assert whole["pauc"] == pytest.approx(
        float(harmonic_mean([whole[f"pauc/{machine}"] for machine in ("fan", "gearbox", "valve")]))
    )


def test_the_loss_is_a_series_over_epochs(tmp_path):
    record = load_record(made_run(tmp_path, "simclr", parameters=7))
    parent = run_entry(record, "d")
    for entry in (parent, *parent.children):
        loss = [(metric.step, metric.value) for metric in entry.metrics if metric.key == "loss"]
        assert loss == [(1, 1.0), (2, 0.5)]
    # A network of each machine type's own: one series each on the parent, its own on the child.
    (network,) = record.training
    own = [network.model_copy(update={"machines": [machine]}) for machine in ("fan", "gearbox", "valve")]
    parent = run_entry(record.model_copy(update={"training": own}), "d")
    assert {metric.key for metric in parent.metrics if metric.step} == {"loss/fan", "loss/gearbox", "loss/valve"}
    assert {metric.key for metric in parent.children[1].metrics if metric.step} == {"loss"}


def test_a_failed_run_says_why_and_keeps_what_was_scored(tmp_path):
    parent = run_entry(load_record(made_run(tmp_path, failed=["gearbox"], reason="it is singular")), "d")
    assert parent.status == "FAILED"
    assert parent.tags["asdbench.failures"] == "score of gearbox: it is singular"
    assert "it is singular" in parent.tags["mlflow.note.content"]
    assert [child.status for child in parent.children] == ["FINISHED", "FAILED", "FINISHED"]
    assert "official_score" not in _values(parent)
    assert _values(parent)["official_score/fan"] == _values(parent.children[0])["official_score"]
    assert _values(parent.children[1]) == {}


def test_recordings_are_inputs_with_their_digests(tmp_path):
    record = load_record(made_run(tmp_path, asked_dataset="/data/dev", dataset="dev"))
    parent = run_entry(record, "d")
    training, evaluation = parent.inputs
    assert [one.tags[0].value for one in parent.inputs] == ["training", "evaluation"]
    assert training.dataset.digest == record.dataset.fingerprint[:12]
    assert json.loads(training.dataset.profile) == {"clips": 300, "fan": 100, "gearbox": 100, "valve": 100}
    assert json.loads(evaluation.dataset.source)["dataset"] == "/data/dev"
    fan = parent.children[0].inputs[1].dataset
    assert fan.digest == record.dataset.fingerprints["fan"][:12]
    assert json.loads(fan.profile) == {"clips": 40, "fan": 40}


def test_what_mlflow_would_refuse_is_made_fit():
    params = as_params({"extractor.x@y": list(range(5000)), "extractor.none": None, "b": True, "c": 0.1})
    assert params["b"] == "true"
    assert params["c"] == "0.1"
    assert "extractor.none" not in params
    assert len(params["extractor.x_y"]) == 6000
    assert len(as_tags({"note": "x" * 9000})["note"]) == 8000
    values = {"nan": math.nan, "inf": math.inf, "none": None, "zero": 0.0}
    assert [metric.key for metric in as_metrics(values, 0)] == ["zero"]


def test_a_mark_that_cannot_be_read_is_none_and_one_of_an_older_version_is(tmp_path):
    store = store_of(tmp_path, {})
    for text in ("{", "[]", '{"stores": 3}', '{"stores": {"x": {"sent_at": []}}}'):
        (tmp_path / "tracking.json").write_text(text)
        assert read_marks(tmp_path) == {}
    old = {"mlflow_run": "abc", "record": "d", "files": {}, "trials": {}, "sent_at": "now"}
    (tmp_path / "tracking.json").write_text(json.dumps({"schema_version": 1, "stores": {store.shown: old}}))
    assert read_mark(tmp_path, store) == Mark(mlflow_run="abc", sent_at="now")
    write_mark(tmp_path / "gone", store, Mark())
    assert not (tmp_path / "gone").exists()


def test_whether_it_learned_is_reported_with_its_numbers(tmp_path):
    networks = {"fan": pair_accuracy(0.5), "gearbox": pair_accuracy(0.9), "valve": pair_accuracy(0.9)}
    parent = run_entry(load_record(made_run(tmp_path, "siamese", parameters=7, learning=networks)), "d")
    text = "fan did not learn: pair accuracy 77 % (chance 50, untrained 52), mean of 3 networks"
    assert parent.tags["asdbench.learned"] == text
    assert text in parent.tags["mlflow.note.content"]
    assert _values(parent)["learning_value"] == pytest.approx(2.3 / 3)
    assert [_values(parent.children[0])[f"learning_{name}"] for name in ("value", "chance", "untrained")] == [
        0.5,
        0.5,
        0.52,
    ]
    untrained = run_entry(load_record(made_run(tmp_path, "raw-mel")), "d")
    assert "asdbench.learned" not in untrained.tags


def test_reasons_stay_text_in_the_note_which_is_markdown(tmp_path):
    record = load_record(made_run(tmp_path, failed=["fan"], reason="no <img src=x> ![y](https://z) here"))
    note = run_entry(record, "d").tags["mlflow.note.content"]
    assert r"- **fan**, score: no \<img src=x\> !\[y\](https\://z) here" in note
