import json
import math

import pytest
from made_runs import COMMIT, made_run, pair_accuracy

from asdbench.harness.record import load_record
from asdbench.protocols.metrics import harmonic_mean
from asdbench.protocols.results import Intervals
from asdbench.tracking.entries import as_metrics, as_params, as_tags, run_entry
from asdbench.tracking.marks import Mark, read_mark, read_marks, write_mark
from asdbench.tracking.store import store_of


def _values(entry, step=0):
    return {metric.key: metric.value for metric in entry.metrics if metric.step == step}


def test_a_run_has_its_machine_types_as_metrics(tmp_path):
    record = load_record(made_run(tmp_path, "simclr", "knn", 3, parameters=1000, params={"n_neighbors": 2}))
    ends = {machine: {"official_score": (0.25, 0.75)} for machine in record.results.machines}
    intervals = Intervals(method="bootstrap", replicates=9, official_score=(0.3, 0.7), machines=ends, sections={})
    record = record.model_copy(update={"intervals": intervals})
    parent = run_entry(record, "d")
    assert parent.name == "simclr + knn, seed 3"
    assert parent.children == []
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
    for machine, result in record.results.machines.items():
        assert whole[f"official_score/{machine}"] == result.official_score
        assert whole[f"auc_source/{machine}"] == result.auc_source
        assert whole[f"pauc/{machine}"] == result.pauc
        assert [whole[f"official_score_ci_{end}/{machine}"] for end in ("low", "high")] == [0.25, 0.75]
    # The whole's term is the mean over machine types that the official program prints.
    assert whole["pauc"] == pytest.approx(
        float(harmonic_mean([whole[f"pauc/{machine}"] for machine in ("fan", "gearbox", "valve")]))
    )


def test_the_loss_is_a_series_over_epochs(tmp_path):
    record = load_record(made_run(tmp_path, "simclr", parameters=7))
    parent = run_entry(record, "d")
    assert [(one.step, one.value) for one in parent.metrics if one.key == "loss"] == [(1, 1.0), (2, 0.5)]
    # A network of each machine type's own: one series each.
    (network,) = record.training
    own = [network.model_copy(update={"machines": [machine]}) for machine in ("fan", "gearbox", "valve")]
    parent = run_entry(record.model_copy(update={"training": own}), "d")
    assert {metric.key for metric in parent.metrics if metric.step} == {"loss/fan", "loss/gearbox", "loss/valve"}


def test_a_failed_run_says_why_and_keeps_what_was_scored(tmp_path):
    parent = run_entry(load_record(made_run(tmp_path, failed=["gearbox"], reason="it is singular")), "d")
    assert parent.status == "FAILED"
    assert parent.tags["asdbench.failures"] == "score of gearbox: it is singular"
    assert "it is singular" in parent.tags["mlflow.note.content"]
    assert {name for name in _values(parent) if name.startswith("official_score")} == {
        "official_score/fan",
        "official_score/valve",
    }


def test_recordings_are_inputs_with_their_digests(tmp_path):
    record = load_record(made_run(tmp_path, asked_dataset="/data/dev", dataset="dev"))
    parent = run_entry(record, "d")
    training, evaluation = parent.inputs
    assert [one.tags[0].value for one in parent.inputs] == ["training", "evaluation"]
    assert training.dataset.digest == record.dataset.fingerprint[:12]
    assert json.loads(training.dataset.profile) == {"clips": 300, "fan": 100, "gearbox": 100, "valve": 100}
    assert json.loads(evaluation.dataset.source)["dataset"] == "/data/dev"
    assert json.loads(evaluation.dataset.profile)["fan"] == 40


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
    assert [_values(parent)[f"learning_{name}/fan"] for name in ("value", "chance", "untrained")] == [0.5, 0.5, 0.52]
    untrained = run_entry(load_record(made_run(tmp_path, "raw-mel")), "d")
    assert "asdbench.learned" not in untrained.tags


def test_reasons_stay_text_in_the_note_which_is_markdown(tmp_path):
    record = load_record(made_run(tmp_path, failed=["fan"], reason="no <img src=x> ![y](https://z) here"))
    note = run_entry(record, "d").tags["mlflow.note.content"]
    assert r"- **fan**, score: no \<img src=x\> !\[y\](https\://z) here" in note
