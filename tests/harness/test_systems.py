"""Published systems through the harness, small."""

import contextlib
import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from asdbench.core.errors import UsageError
from asdbench.core.progress import Silent
from asdbench.extractors.checkpoints import FILE, FOLDER
from asdbench.harness import RunSpec, execute, make_plan
from asdbench.harness.record import load_record

SMALL = {
    "simclr.backbone": "resnet10t",
    "simclr.epochs": 1,
    "simclr.crop_s": 0.5,
    "simclr.copies": 1,
    "siamese.epochs": 1,
    "mel-image.spectrogram": "64x64",
    "mel-image.image": 32,
    "autoencoder.epochs": 2,
    "autoencoder.hidden_layers": 1,
    "lof.n_neighbors": 5,
}
PARTS_OF = {"mel-image": "siamese", "autoencoder": "baseline"}  # what systems are called that have a component
SIX = (
    "germinario2022-siamese-knn",
    "germinario2022-siamese-gmm",
    "germinario2022-siamese-lof",
    "shin2023-simclr-ml",
    "shin2023-simclr-elliptic",
    "dcase2023-baseline-mse",
    "dcase2023-baseline-mahala",
    "dcase2023-baseline-mahala-paper",
)


@pytest.fixture
def plan(small_dataset, tmp_path):
    def make(system=(), params=(), out="runs", **more):
        known = " ".join([*system, *more.get("extractor", ())])
        scopes = {key: key.partition(".")[0] for key in SMALL}
        used = {key: value for key, value in SMALL.items() if PARTS_OF.get(scopes[key], scopes[key]) in known}
        spec = {
            "system": list(system),
            "dataset": str(small_dataset),
            "out": tmp_path / out,
            "params": used | dict(params),
            **more,
        }
        return make_plan(RunSpec(**spec), Silent())

    return make


@pytest.fixture
def run(plan):
    return lambda *args, **more: list(execute(plan(*args, **more), Silent()))


@pytest.fixture
def trainings(monkeypatch, fresh_cache):
    """Names of the networks that were trained, in order."""
    seen = []
    from asdbench.extractors import training

    def counted(network, optimizer, batches, batches_per_epoch, loss, recipe, *more):
        seen.append(recipe.name.split()[0])
        return training.training_steps(network, optimizer, batches, batches_per_epoch, loss, recipe, *more)

    monkeypatch.setattr("asdbench.extractors.network.training_steps", counted)
    return seen


def test_all_systems_run_in_one_command_and_train_no_network_twice(run, trainings):
    records = run(SIX)
    assert {record.asked.system for record in records} == set(SIX)
    assert [record.status for record in records] == ["done"] * len(SIX), [record.failures for record in records]
    assert trainings == ["siamese"] * 2 + ["simclr"] + ["autoencoder"] * 2  # two machine types
    by_name = {record.asked.system: record for record in records}
    for record in records:
        assert record.run_id.startswith(f"{record.asked.system}-small-s0-")
        for network in record.training:
            assert network.parameters > 0
            assert all(np.isfinite(network.curves["loss"]))
    siamese = by_name["germinario2022-siamese-knn"]
    assert siamese.scorer.name == "pyod:KNN"
    assert [network.machines for network in siamese.training] == [["fan"], ["valve"]]
    simclr = by_name["shin2023-simclr-ml"]
    assert simclr.extractor.params["learning_rate"] == 0.5
    assert simclr.training == by_name["shin2023-simclr-elliptic"].training
    assert simclr.asked.profile is None, "a system runs as its card says, on small sets too"
    scores = {by_name[name].results.official_score for name in SIX[-3:]}
    assert len(scores) == 3, "three scores read from one network differ"
    trainings.clear()
    (other,) = run(["shin2023-simclr-ml"], {"simclr.layer": "backbone"})
    assert other.status == "done"
    assert trainings == [], "another layer needs no new training"


def test_fresh_trains_shared_networks_once_more(run, trainings):
    run(SIX[-3:], machine=["fan"])
    run(SIX[-3:], machine=["fan"], fresh=True)
    assert trainings == ["autoencoder"] * 2


def test_values_by_hand_win_and_may_mean_one_system(plan):
    names = ["shin2023-simclr-ml", "shin2023-simclr-ml-lr0.001"]
    cells = plan(names, {"simclr.copies": "3", f"{names[1]}.extractor.temperature": "0.1"}).cells
    found = {cell.system: cell.extractor.params for cell in cells}
    assert [found[name]["copies"] for name in names] == [3, 3]
    assert [found[name]["temperature"] for name in names] == [0.05, 0.1]
    assert [found[name]["learning_rate"] for name in names] == [0.5, 0.001]


def test_a_profile_asked_for_lies_over_the_systems_values_but_for_what_makes_a_variant_one(small_dataset, tmp_path):
    names = ["shin2023-simclr-ml", "shin2023-simclr-ml-resnet50"]
    spec = RunSpec(system=names, dataset=str(small_dataset), out=tmp_path / "runs", profile="quick")
    first, larger = (cell.extractor.params for cell in make_plan(spec, Silent()).cells)
    assert first["steps"] == larger["steps"] == 150
    assert first["learning_rate"] == 0.5
    assert [first["backbone"], larger["backbone"]] == ["test_resnet", "resnet50"]


def test_systems_stand_beside_extractors_and_scorers(plan):
    cells = plan(["dcase2023-baseline-mse"], extractor=["raw-mel"], scorer=["knn"]).cells
    assert [cell.system for cell in cells] == ["dcase2023-baseline-mse", None]


def test_genrep_is_two_layers_of_ced_and_the_density_of_domains(run, tmp_path, fresh_cache):
    from tiny_encoders import write_ced

    weights, _ = write_ced(tmp_path / "tiny.pt", depth=10)
    (record,) = run(["genrep2025-s4"], {"ced.weights": weights})
    assert record.status == "done"
    params = {"ced.weights": weights, "ced.layer": "7,10", "ced.pool_over": "time"}
    (alone,) = run([], params, extractor=["ced"], scorer=["knn-ldn-domains"])
    assert record.results == alone.results


def test_a_system_on_frozen_beats_takes_the_users_weights(run, tmp_path, fresh_cache):
    from tiny_encoders import write_beats

    with pytest.raises(UsageError, match=r"beats has no weights\. .*-p beats\.weights=FILE"):
        run(["beats-rdp4-beam"])
    weights, _ = write_beats(tmp_path / "tiny.pt")
    (record,) = run(["beats-rdp4-beam"], {"extractor.weights": weights})
    assert record.status == "done"
    by_hand = {"weights": weights, "pooling": "rdp", "rdp_gamma": 4.0, "pool_over": "band"}
    params = {f"beats.{key}": value for key, value in by_hand.items()} | {"beam.rescale": "varmin"}
    (alone,) = run([], params, extractor=["beats"], scorer=["beam"])
    assert record.results == alone.results


def test_a_system_on_tuned_beats_trains_with_the_users_weights(run, tmp_path, fresh_cache):
    from tiny_encoders import write_beats

    weights, _ = write_beats(tmp_path / "tiny.pt")
    (record,) = run(["asdkit2025-beats-lora"], {"lora-classifier.weights": weights, "lora-classifier.epochs": 1})
    assert record.status == "done"
    (network,) = record.training
    assert len(network.curves["loss"]) == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"system": ["shin2023-simclr"]}, "No system 'shin2023-simclr'. Did you mean 'shin2023-simclr-ml'"),
        ({"system": []}, "Nothing to run: name a system"),
        ({"system": [], "scorer": ["knn"]}, "--extractor is missing"),
        ({"system": [SIX[0]] * 2}, "names the same one twice"),
        ({"system": ["dcase2023-baseline-mse"], "params": {"dcase2023-baseline-mse.epochs": "3"}},
         "say which part of the system, for example -p dcase2023-baseline-mse.extractor.epochs"),
        ({"system": ["dcase2023-baseline-mse"], "augmentation": ["time-mask"]}, "no extractor here uses augmentations"),
        ({"system": ["dcase2023-baseline-mse"], "params": {"knn.n_neighbors": "3"}}, "nothing named 'knn'"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for(small_dataset, tmp_path, asked, words):
    with pytest.raises(UsageError) as caught:
        make_plan(RunSpec(dataset=str(small_dataset), out=tmp_path / "runs", **asked), Silent())
    assert words in str(caught.value)


def test_a_system_card_that_sets_what_is_no_part_of_it_is_refused(small_dataset, tmp_path):
    folder = tmp_path / "mine" / "registry" / "systems"
    folder.mkdir(parents=True)
    (folder / "odd.toml").write_text(
        'summary = "Odd."\nextractor = "raw-mel"\nscorer = "knn"\n[params.lof]\nn_neighbors = 3\n'
    )
    spec = RunSpec(system=["odd"], dataset=str(small_dataset), out=tmp_path / "runs", plugin_path=[tmp_path / "mine"])
    with pytest.raises(UsageError, match="'odd' sets parameters of 'lof', which is no part of it"):
        make_plan(spec, Silent())


def test_a_misspelt_backbone_is_refused_before_anything_is_decoded(run, monkeypatch, fresh_cache):
    monkeypatch.setattr("asdbench.frontends.store.features_of_all", None)
    with pytest.raises(UsageError, match=r"timm has no model 'resnet-18'\. Did you mean 'resnet"):
        run(["shin2023-simclr-ml"], {"simclr.backbone": "resnet-18"})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (np.ones, "raw-mel collapsed on fan: all 20 clips have the same embedding"),
        (lambda shape: np.arange(shape[0])[:, None] * np.ones(shape), "lie on one line of 8 dimensions (rank one)"),
    ],
)
def test_a_collapsed_network_is_a_failed_cell(run, monkeypatch, fresh_cache, make, words):
    from asdbench.extractors.raw_mel import RawMel

    monkeypatch.setattr(RawMel, "embed", lambda self, clips, context: make((len(clips), 8)).astype(np.float32))
    monkeypatch.setattr(RawMel, "curves", {"loss": [1.0]})  # as a network that was trained
    (record,) = run(extractor=["raw-mel"], scorer=["mahalanobis-ml"], machine=["fan"])
    assert (record.status, record.results) == ("failed", None)
    assert words in record.failures[0].reason


def test_training_clips_alone_decide_on_a_collapse_and_a_loaded_network_is_judged_too(
    run, monkeypatch, fresh_cache, small_dataset
):
    from asdbench.datasets import read_folder
    from asdbench.extractors.raw_mel import RawMel

    trained_on = {clip.key for clip in read_folder(small_dataset).training_view()}
    noise = np.random.default_rng(0).standard_normal((36, 8)).astype(np.float32)
    monkeypatch.setattr(RawMel, "curves", {"loss": [1.0]})

    def embed(constant_training):
        def rows(self, clips, context):
            training = np.array([clip.key in trained_on for clip in clips])[:, None]
            return np.where(training, np.float32(1.0), noise) if constant_training else noise + 1e5 * ~training

        monkeypatch.setattr(RawMel, "embed", lambda *given: rows(*given).astype(np.float32))
        return run(extractor=["raw-mel"], scorer=["mahalanobis-lw"], machine=["fan"], retry_failed=True)[0]

    for _ in range(2):  # the second time, the fit is taken from the cache
        assert "have the same embedding" in embed(constant_training=True).failures[0].reason
        monkeypatch.setattr(RawMel, "curves", {})
    assert embed(constant_training=False).status == "done"


def test_siamese_takes_negatives_from_other_machine_types_where_there_is_one_class(run, make_folder, fresh_cache):
    names = {
        "train": [f"section_00_source_train_normal_{n:04d}.wav" for n in range(10)],
        "test": [f"section_00_{d}_test_{k}_{n:04d}.wav" for d in ("source", "target") for k in ("normal", "anomaly")
                 for n in range(3)],
    }  # fmt: skip
    (record,) = run(["germinario2022-siamese-knn"], dataset=str(make_folder({"fan": names, "pump": names})))
    assert record.status == "done"
    assert sum("negative pairs come from the other machine types" in note for note in record.notes) == 2
    (alone,) = run(
        ["germinario2022-siamese-knn"], dataset=str(make_folder({"fan": names})), machine=["fan"], out="alone"
    )
    assert alone.status == "failed"
    assert "There is no other machine type" in alone.failures[0].reason


@pytest.mark.slow
def test_a_training_killed_outright_goes_on_from_its_last_epoch(small_dataset, tmp_path, zygote):
    words = ["run", "--system", "dcase2023-baseline-mse", "--dataset", small_dataset, "--machine", "fan"]
    words += ["-p", "autoencoder.epochs=60", "-p", "autoencoder.hidden_layers=1"]

    def command(cache):
        return zygote.start(*words, "--out", tmp_path / f"to-{cache}", cache=tmp_path / cache, log=log_of(cache))

    def log_of(cache):
        return tmp_path / f"{cache}.log"

    def record(cache):
        assert zygote.wait(command(cache)) == 0, log_of(cache).read_text()
        begun = int(re.findall(r"begun at (\d+)", log_of(cache).read_text())[-1])
        (path,) = tmp_path.glob(f"to-{cache}/*/run.json")
        return json.loads(path.read_text()), begun

    process = command("killed")
    deadline = time.monotonic() + 60
    epochs = 0
    while epochs < 3 and time.monotonic() < deadline:
        for path in (tmp_path / "killed" / "trained").glob(f"*.checkpoint/{FOLDER}/{FILE}"):
            # An older state may be removed between the look at the folder and the opening.
            with contextlib.suppress(OSError, RuntimeError), safe_open(path, "pt") as file:
                epochs = len(json.loads(file.metadata()["curves"])["loss"])
    os.kill(process, signal.SIGKILL)
    zygote.wait(process)
    assert 3 <= epochs < 60, "killed in the middle"
    (resumed, begun), (whole, begun_anew) = record("killed"), record("whole")
    assert epochs <= begun < 60
    assert begun_anew == 0
    for content in (resumed, whole):
        for changing in ("seconds", "finished_at"):
            content.pop(changing)
        content["digests"].pop("run.json")
    assert resumed == whole
    assert len(resumed["training"][0]["curves"]["loss"]) == 60


def test_a_run_file_gives_way_to_the_command_line_for_one_system_too(small_dataset, tmp_path):
    from asdbench.harness.spec import read_spec

    (tmp_path / "run.toml").write_text(
        "system = 'shin2023-simclr-ml'\n[params.shin2023-simclr-ml.simclr]\nepochs = 3\ncopies = 5\n"
    )
    given = {"params": ["simclr.epochs=7"], "dataset": str(small_dataset), "out": tmp_path / "runs"}
    (cell,) = make_plan(read_spec(tmp_path / "run.toml", given), Silent()).cells
    assert cell.extractor.params["epochs"] == 7
    assert cell.extractor.params["copies"] == 5


def test_a_chain_is_run_recorded_and_named_by_its_parts(cli, small_dataset, tmp_path):
    words = ("--extractor", "raw-mel", "--scorer", "knn", "--scorer", "whiten+knn", "-p", "whiten.variance=0.7")
    ran = cli("run", "--dataset", str(small_dataset), *words, "-p", "knn.n_neighbors=1", "--out", tmp_path, "--json")
    assert ran.code == 0, ran.err
    found = [load_record(Path(one["record"]).parent) for one in ran.json["runs"]]
    records = {record.scorer.name: record for record in found}
    assert records["knn"].scorer.params["n_neighbors"] == records["whiten+knn"].scorer.params["n_neighbors"] == 1
    assert records["whiten+knn"].scorer.params["whiten.variance"] == 0.7
    assert records["whiten+knn"].asked.params == {"whiten.variance": "0.7", "knn.n_neighbors": "1"}
    assert records["knn"].asked.params == {"knn.n_neighbors": "1"}
    assert "whiten.knn" in records["whiten+knn"].run_id
