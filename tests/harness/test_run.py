import csv
import json
import math

import numpy as np
import pytest

from asdbench.core.errors import DiskFullError, RequirementError, UsageError
from asdbench.core.progress import Silent
from asdbench.harness import RunSpec, execute, make_plan
from asdbench.harness.record import load_record

NETWORK = {"autoencoder.epochs": 1, "autoencoder.hidden_dim": 8, "autoencoder.hidden_layers": 1}
SIMCLR = {"simclr.backbone": "resnet10t", "simclr.epochs": 1}


@pytest.fixture
def run(small_dataset, tmp_path):
    def do(extractor=("raw-mel",), scorer=("knn",), out="runs", progress=None, **more):
        spec = RunSpec(
            **{
                "extractor": list(extractor),
                "scorer": list(scorer),
                "dataset": str(small_dataset),
                "out": tmp_path / out,
                **more,
            }
        )
        progress = progress or Silent()
        return list(execute(make_plan(spec, progress), progress))

    return do


def score_bytes(out, record):
    files = sorted((out / record.run_id / "scores").iterdir())
    return {file.name: file.read_bytes() for file in files}


def test_a_run_leaves_record_scores_and_decisions(run, tmp_path, small_dataset):
    (record,) = run()
    folder = tmp_path / "runs" / record.run_id
    assert record.run_id.startswith("raw-mel-knn-small-s0-")
    assert {path.name for path in (folder / "scores").iterdir()} == {
        f"{kind}_{machine}_section_00_test.csv"
        for kind in ("anomaly_score", "decision_result")
        for machine in ("fan", "valve")
    }
    for machine in ("fan", "valve"):
        scores = list(csv.reader((folder / "scores" / f"anomaly_score_{machine}_section_00_test.csv").open()))
        decisions = list(csv.reader((folder / "scores" / f"decision_result_{machine}_section_00_test.csv").open()))
        names = sorted(path.name for path in (small_dataset / machine / "test").iterdir())
        assert [row[0] for row in scores] == [row[0] for row in decisions] == names
        threshold = record.thresholds[machine]["00"].value
        assert [int(float(row[1]) > threshold) for row in scores] == [int(row[1]) for row in decisions]
    assert load_record(folder) == record
    assert record.dataset.train_clips == {"fan": 20, "valve": 20}
    assert record.environment.device == "cpu"
    assert {"features", "fit", "embed", "score"} == set(record.seconds)
    assert record.results is not None
    assert record.ci95[0] < record.results.official_score < record.ci95[1]


def test_the_same_command_writes_the_same_bytes_and_the_seed_changes_the_network_only(run, tmp_path, monkeypatch):
    found = {}
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / f"cache-{name}"))
        records = run(("raw-mel", "autoencoder"), ("mahalanobis-lw",), out=name, seed=[seed], params=NETWORK)
        found[name] = {record.extractor.name: score_bytes(tmp_path / name, record) for record in records}
    assert found["first"] == found["again"]
    assert found["other"]["raw-mel"] == found["first"]["raw-mel"]
    assert found["other"]["autoencoder"] != found["first"]["autoencoder"]


def test_the_official_score_from_the_files_alone(run, tmp_path, official_score_of_files):
    (record,) = run(scorer=("mahalanobis-lw",))
    expected = official_score_of_files(tmp_path / "runs" / record.run_id / "scores")
    assert record.results.official_score == pytest.approx(expected, abs=1e-12)


def test_one_more_scorer_uses_what_is_there(run, monkeypatch):
    run(("autoencoder",), ("knn",), params=NETWORK)
    monkeypatch.setattr("asdbench.extractors.network.training_steps", None)
    monkeypatch.setattr("asdbench.frontends.store.features_of_all", None)
    records = run(("autoencoder",), ("knn", "mahalanobis-ml"), params=NETWORK)
    assert [record.status for record in records] == ["done", "done"]
    assert records[1].training == records[0].training != []


def test_a_machine_more_changes_no_other_result(run):
    both = run(("raw-mel",), ("gmm", "random"))
    alone = run(("raw-mel",), ("gmm", "random"), machine=["valve"])
    for one, two in zip(both, alone, strict=True):
        assert two.results.machines["valve"] == one.results.machines["valve"]


def test_trainings_together_give_the_scores_of_trainings_alone(run, zygote, small_dataset, tmp_path, monkeypatch):
    """Two machine types and two seeds in one stack, each alone, and on two processes."""
    params = NETWORK | {"autoencoder.epochs": 2}
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache-stack"))
    stacked = run(("autoencoder",), ("identity",), seed=[0, 1], params=params, out="stack")
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache-alone"))
    monkeypatch.setattr("asdbench.harness.experiment.kind_of_fit", lambda cell: None)
    alone = run(("autoencoder",), ("identity",), seed=[0, 1], params=params, out="alone")
    words = ["--extractor", "autoencoder", "--scorer", "identity", "--seed", 0, "--seed", 1, "--jobs", 2]
    words += [word for name, value in params.items() for word in ("-p", f"{name}={value}")]
    files = {"cache": tmp_path / "cache-processes", "log": tmp_path / "log"}
    command = zygote.start("run", "--dataset", small_dataset, "--out", tmp_path / "processes", *words, **files)
    assert zygote.wait(command) == 0, files["log"].read_text()
    processes = [load_record(tmp_path / "processes" / record.run_id) for record in alone]
    for record in stacked:
        assert record.status == "done"
        for name, others in (("processes", processes), ("alone", alone)):
            (same,) = (one for one in others if one.run_id == record.run_id)
            assert score_bytes(tmp_path / name, same) == score_bytes(tmp_path / "stack", record)
            assert [network.curves for network in same.training] == [network.curves for network in record.training]


def test_a_finished_run_is_found_and_fresh_does_it_again(run, monkeypatch):
    (first,) = run()
    monkeypatch.setattr("asdbench.harness.pipeline.score_machine", None)
    (found,) = run()
    assert found == first
    (broken,) = run(fresh=True)
    assert broken.status == "failed"


def test_a_failing_scorer_is_recorded_and_the_others_go_on(run, tmp_path):
    failed, done = run(scorer=("identity", "knn"))
    assert (failed.status, done.status) == ("failed", "done")
    assert failed.results is None
    assert {failure.machine for failure in failed.failures} == {"fan", "valve"}
    assert "256 dimensions" in failed.failures[0].reason
    assert not (tmp_path / "runs" / failed.run_id / "scores").exists()
    assert json.loads((tmp_path / "runs" / failed.run_id / "run.json").read_text())["status"] == "failed"


def test_a_training_that_fails_is_one_failure_and_other_systems_go_on(run, monkeypatch, tmp_path):
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))

    def broken(*_):
        raise MemoryError("out of memory on purpose")

    monkeypatch.setattr("asdbench.extractors.network.training_steps", broken)
    failed, done = run(("simclr", "raw-mel"), params=SIMCLR)
    (failure,) = failed.failures
    assert (failure.stage, failure.machine) == ("fit", None)
    assert failure.reason.startswith("MemoryError: out of memory on purpose (tests/harness/test_run.py, line ")
    assert "in broken" in failure.detail
    assert done.status == "done"


def test_a_full_disk_ends_the_command_instead_of_failing_every_run(run, monkeypatch, tmp_path):
    import errno

    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("asdbench.harness.embedding.np.save", full)
    with pytest.raises(DiskFullError, match=r"No room left on the disk while writing .*embeddings"):
        run(scorer=("knn", "lof"))
    assert not (tmp_path / "runs").exists()
    assert not list((tmp_path / "cache" / "embeddings").glob("*"))


def test_an_embedding_that_is_not_finite_is_refused_by_name(run, monkeypatch, tmp_path):
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))
    from asdbench.extractors.raw_mel import RawMel

    def broken(self, clips, context):
        rows = np.zeros((len(clips), 3), np.float32)
        rows[2, 1] = np.nan
        return rows

    monkeypatch.setattr(RawMel, "embed", broken)
    (record,) = run()
    assert "raw-mel gave embeddings that are not finite for 1 of 36 clips of fan" in record.failures[0].reason
    assert not list((tmp_path / "cache" / "embeddings").glob("*"))


def test_a_run_killed_between_stages_ends_in_the_same_record(run, tmp_path, monkeypatch):
    def timeless(record):
        return record.model_dump(exclude={"seconds", "finished_at", "run_id"})

    whole = run(("autoencoder",), ("knn",), params=NETWORK, out="whole")
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("asdbench.harness.pipeline.score_machine", killed)
        with pytest.raises(KeyboardInterrupt):
            run(("autoencoder",), ("knn",), params=NETWORK, out="killed")
    assert not (tmp_path / "killed").exists()
    resumed = run(("autoencoder",), ("knn",), params=NETWORK, out="killed")
    assert timeless(resumed[0]) == timeless(whole[0])
    assert score_bytes(tmp_path / "killed", resumed[0]) == score_bytes(tmp_path / "whole", whole[0])


def test_a_singular_covariance_is_noted_in_the_record_and_once_on_the_screen(run):
    progress = Silent()
    (record,) = run(scorer=("mahalanobis-ml",), progress=progress, out="singular")
    (note,) = record.notes
    assert "20 training clips in 256 dimensions is singular (rank 19)" in note
    assert "(fan, valve)" in note
    assert sum("singular" in said for said in progress.notes) == 1


def test_training_scores_are_out_of_fold_where_the_fit_flatters(run):
    """20 clips in 256 dimensions: in-sample distances are all alike, and would call every test clip anomalous."""
    (record,) = run(scorer=("mahalanobis-ml",))
    recalls = [
        domain.recall
        for machine in record.results.machines.values()
        for domain in machine.sections["00"].domains.values()
    ]
    assert min(recalls) < 1.0
    assert all("gamma" in section["00"].method for section in record.thresholds.values())


def test_unlabelled_test_clips_are_scored_but_not_evaluated(run, make_folder, dcase2023_names, tmp_path):
    names = {**dcase2023_names(), "test": [f"section_00_{i:04d}.wav" for i in range(4)]}
    (record,) = run(dataset=str(make_folder({"pump": names})))
    assert (record.status, record.results, record.ci95) == ("done", None, None)
    assert len(list((tmp_path / "runs" / record.run_id / "scores").iterdir())) == 2


def test_2020_data_has_no_domains(run, make_folder):
    machines = {
        "slider": {
            "train": [f"normal_id_0{i}_{n:08d}.wav" for i in (0, 2) for n in range(8)],
            "test": [
                f"{label}_id_0{i}_{n:08d}.wav" for i in (0, 2) for label in ("normal", "anomaly") for n in range(4)
            ],
        }
    }
    (record,) = run(dataset=str(make_folder(machines)))
    result = record.results
    assert result.protocol == "dcase2020"
    machine = result.machines["slider"]
    parts = machine.sections.values()
    assert machine.auc == pytest.approx(np.mean([part.auc for part in parts]))
    assert result.official_score == pytest.approx((machine.auc + machine.pauc) / 2)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"extractor": ["simcl"]}, UsageError, "Did you mean 'simclr'? One of a plugin needs --plugin-path"),
        ({"scorer": ["kn"]}, UsageError, "No scorer 'kn'. Did you mean 'knn'"),
        ({"machine": ["fam"]}, UsageError, "has no machine 'fam'. Did you mean 'fan'?"),
        ({"dataset": "syntetic"}, UsageError, "Did you mean 'synthetic'"),
        ({"params": {"knn.n_neighbors": "0"}}, UsageError, "takes a whole number from 1 to 1000"),
        ({"params": {"knn.neighbours": "3"}}, UsageError, "has no parameter 'neighbours'"),
        ({"params": {"knnn.n_neighbors": "3"}}, UsageError, "nothing named 'knnn' in this command. Did you mean 'knn'"),
        ({"params": {"scorer.x": "3"}, "scorer": ["knn", "lof"]}, UsageError, "several scorers. Name one: -p knn.x"),
        ({"profile": "quik"}, UsageError, "No profile 'quik'"),
        ({"frontend": "logmel"}, UsageError, "Did you mean 'log-mel'"),
        ({"device": "cuda"}, RequirementError, "--device cuda was asked for"),
        ({"extractor": []}, UsageError, "--extractor is missing"),
        ({"extractor": ["raw-mel", "raw-mel"]}, UsageError, "names the same one twice"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(run, tmp_path, change, error, words):
    if change.get("device") == "cuda":
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
    with pytest.raises(error, match=words.replace("(", r"\(").replace("?", r"\?")):
        run(**change)
    assert not list(tmp_path.glob("runs/*"))


def test_a_run_file_gives_way_to_the_command_line_whatever_each_calls_the_component(small_dataset, tmp_path):
    from asdbench.harness.spec import read_spec

    (tmp_path / "run.toml").write_text("[params.knn]\nn_neighbors = 3\n[params.scorer]\nmethod = 'mean'\n")
    given = {"extractor": ["raw-mel"], "scorer": ["knn"], "params": ["scorer.n_neighbors=7", "knn.method=median"]}
    spec = read_spec(tmp_path / "run.toml", given | {"dataset": str(small_dataset), "out": tmp_path / "runs"})
    (cell,) = make_plan(spec, Silent()).cells
    assert cell.scorer.params["n_neighbors"] == 7
    assert cell.scorer.params["method"] == "median"


def test_parameters_by_kind_and_by_name(run):
    (record,) = run(params={"scorer.n_neighbors": "3", "frontend.n_mels": "64"})
    assert record.scorer.params["n_neighbors"] == 3
    assert record.frontend.params["n_mels"] == 64
    assert record.asked.params == {"scorer.n_neighbors": "3", "frontend.n_mels": "64"}
    (other,) = run(params={"knn.n_neighbors": "4"})
    assert other.run_id != record.run_id


def test_a_scorer_that_four_folds_are_too_few_for_still_runs(run):
    (record,) = run(scorer=("gmm",), params={"gmm.n_components": "18"})
    assert record.status == "done", record.failures
    assert np.isfinite(record.thresholds["fan"]["00"].value)


def test_of_trainings_together_one_that_cannot_be_stored_is_one_failure(run, monkeypatch, fresh_cache):
    """It leaves a curve that is not a number; the other machine type's fit is there when it is asked for alone."""
    from asdbench.extractors.autoencoder import Autoencoder

    fit_together = Autoencoder.fit_together.__func__

    calls = []

    def spoilt(cls, extractors, clips, contexts):
        calls.append(len(extractors))
        errors = fit_together(cls, extractors, clips, contexts)
        extractors[0].curves = {"loss": [math.nan]}
        return errors

    monkeypatch.setattr(Autoencoder, "fit_together", classmethod(spoilt))
    systems = ["dcase2023-baseline-mse", "dcase2023-baseline-mahala"]  # two ways to read one network
    records = run((), (), system=systems, params=NETWORK)
    assert len(calls) == 1, "what failed is not trained again for the other system"
    for record in records:
        assert [(failure.stage, failure.machine) for failure in record.failures] == [("fit", "fan")]
        assert [network.machines for network in record.training] == [["valve"]]
