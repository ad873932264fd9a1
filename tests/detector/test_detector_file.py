import hashlib
import json
import shutil
import zipfile

import numpy as np
import pytest
import timm
import torch
from pydantic import TypeAdapter
from safetensors.numpy import load
from safetensors.torch import save_file
from tiny_encoders import write_eat

import asdbench
from asdbench import Detector
from asdbench.core.errors import RequirementError
from asdbench.core.store import seal
from asdbench.datasets import TrainingClip, read_folder
from asdbench.detector.fitting import fit_run
from asdbench.harness.record import write_record
from asdbench.harness.replay import reopen

PLUGIN_CARD = """summary = "Loudness."
target  = "loudness_of_tests:Loudness"
version = 1
fit_on  = "machine"
frontend = "log-mel"
"""
STEP_CODE = """from asdbench.scorers.steps import Changed, Step

class Twice(Step):
    def around(self, make): return Doubled(make())

class Doubled(Changed):
    def learn(self, embeddings): pass
    def change(self, embeddings): return 2 * embeddings
"""
PLUGIN_CODE = """import numpy as np
from asdbench.extractors.base import Extractor

class Loudness(Extractor):
    def fit(self, clips, context): pass
    def embed(self, clips, context):
        return np.array([[context.features[clip.key].mean()] for clip in clips], np.float32)
    def save(self, folder): pass
    def load(self, folder): pass
"""


@pytest.fixture
def saved(trained_run, tmp_path):
    """Saves the detector of a run; the same one is made once a test."""

    def do(extractor="raw-mel", scorer="knn", **more):
        return fit_run(trained_run(extractor, scorer, **more)).save(tmp_path / "fan.asd")

    return do


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_training_clips_are_in_the_file_as_scorers_saw_them_and_the_same_fit_gives_the_same_bytes(
    saved, small_dataset, tmp_path
):
    content = members(path := saved())
    first = path.read_bytes()
    for number, machine in enumerate(("fan", "valve")):
        clips = TypeAdapter(list[TrainingClip]).validate_json(content[f"machines/{number}.json"])
        assert clips == read_folder(small_dataset).select(machines=[machine]).training_view()
        assert {clip.domain for clip in clips} == {"source", "target"}
        arrays = load(content[f"machines/{number}.safetensors"])
        assert arrays["rows.0"].dtype == np.float32
        assert len(arrays["rows.0"]) == len(arrays["scores.00"]) == len(clips) == 20
    assert saved().read_bytes() == first


def test_a_cache_without_the_extractor_tells_to_train_it_again(trained_run, tmp_path, monkeypatch):
    record = trained_run("raw-mel", "knn")
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "empty"))
    with pytest.raises(RequirementError, match=r"no longer in the cache(.|\n)*--fresh"):
        fit_run(record)


def test_a_run_that_scored_nothing_makes_no_detector(trained_run):
    record = trained_run("raw-mel", "knn").model_copy(update={"thresholds": {}})
    with pytest.raises(RequirementError, match="scored no machine type"):
        fit_run(record)


def rewritten(path, change):
    content = members(path)
    change(content)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def flip(content, name):
    data = bytearray(content[name])
    data[len(data) // 2] ^= 1
    content[name] = bytes(data)


def edited(content, name, data):
    """Somebody's edit who has mended the digests as well."""
    content[name] = data
    listed = {name: hashlib.sha256(data).hexdigest() for name, data in content.items() if name != "digests.json"}
    digest = hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()
    content["digests.json"] = json.dumps({"files": listed, "digest": digest}).encode()


def without_fits(content):
    about = json.loads(content["detector.json"])
    about["members"][0]["fits"].pop("fan")
    edited(content, "detector.json", json.dumps(about).encode())


NETWORK = "extractors/0/0/network.safetensors"
DAMAGES = {
    "is no detector, or damaged: File is not a zip": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "There is no such|there is no such file": lambda path: path.unlink(),
    "members are not those that it lists": lambda path: rewritten(path, lambda content: content.pop(NETWORK)),
    "members are not those": lambda path: rewritten(path, lambda content: content.update({"../evil": b""})),
    "machines/1.safetensors is not as it was": lambda path: rewritten(
        path, lambda content: flip(content, "machines/1.safetensors")
    ),
    f"{NETWORK} is not as": lambda path: rewritten(path, lambda content: flip(content, NETWORK)),
    "detector.json is not as": lambda path: rewritten(path, lambda content: flip(content, "detector.json")),
    "no item named 'digests.json'": lambda path: rewritten(path, lambda content: content.pop("digests.json")),
    "has schema 99; .* A newer asdbench reads it": lambda path: rewritten(
        path, lambda content: edited(content, "detector.json", b'{"schema_version": 99}')
    ),
    "maximum recursion": lambda path: rewritten(path, lambda content: edited(content, "detector.json", b"[" * 100_000)),
    "no fit of fan": lambda path: rewritten(path, without_fits),
    "is no detector, or damaged": lambda path: path.write_bytes(b"RIFF" * 1000),
}


def test_a_damaged_file_is_refused_with_its_name_before_anything_is_scored(saved):
    path = saved("autoencoder", "identity")
    whole = path.read_bytes()
    for message, harm in DAMAGES.items():
        path.write_bytes(whole)
        harm(path)
        with pytest.raises(RequirementError, match=message) as caught:
            Detector.load(path)
        assert str(path) in str(caught.value)


def test_an_edited_file_whose_digests_agree_is_refused_where_it_is_used(saved):
    path = saved()
    whole = path.read_bytes()
    for name in ("machines/0.safetensors", "machines/0.json"):
        path.write_bytes(whole)
        rewritten(path, lambda content, name=name: edited(content, name, b"something else"))
        with pytest.raises(RequirementError, match=f"The detector is damaged, {name}"):
            Detector.load(path).scorer("fan", "00")


def test_a_file_that_would_fill_the_memory_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.asd", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("digests.json", b" " * 2**25)
    with pytest.raises(RequirementError, match="far more than a detector holds"):
        Detector.load(tmp_path / "bomb.asd")


def test_every_byte_counts(saved):
    path, rng = saved(), np.random.default_rng(0)
    whole = path.read_bytes()
    for place in rng.integers(0, len(whole), 25):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            opened = Detector.load(path)
        except RequirementError:
            continue
        assert opened.content.name == "raw-mel + knn"  # a byte between members, of which nothing is read


def old_folder(record, small_dataset, folder, schema):
    """What versions before the detector wrote."""
    replay = reopen(record)
    shutil.copytree(replay.fit("fan").trained, folder / "extractors" / "0")
    (folder / "training").mkdir()
    for machine in replay.dataset.machines:
        clips, rows = replay.embeddings(machine)
        training = replay.dataset.training(machine)
        row_of = {clip.key: row for row, clip in enumerate(clips)}
        np.save(folder / "training" / f"{machine}.npy", rows[[row_of[clip.key] for clip in training]])
        content = TypeAdapter(list[TrainingClip]).dump_json(training)
        (folder / "training" / f"{machine}.json").write_bytes(content)
    parts = {
        "extractors": replay.cell.extractor, "frontends": replay.cell.frontend, "scorers": replay.cell.scorer
    }  # fmt: skip
    content = {
        "schema_version": schema,
        "parts": {kind: {"identity": part.identity(), "plugin": None, "files": {}} for kind, part in parts.items()},
        "machines": {machine: {"extractor": 0, "seed": replay.fit(machine).seed} for machine in ("fan", "valve")},
    }
    write_record(folder, record)
    (folder / "system.json").write_text(json.dumps(content))
    if schema == 2:
        seal(folder)


@pytest.mark.parametrize("schema", [1, 2])
def test_systems_that_older_versions_saved_as_folders_are_read(schema, trained_run, small_dataset, tmp_path):
    record = trained_run("raw-mel", "knn")
    old_folder(record, small_dataset, tmp_path / "old", schema)
    clips = sorted((small_dataset / "fan" / "test").iterdir())
    found, expected = Detector.load(tmp_path / "old").score(clips, "fan"), fit_run(record).score(clips, "fan")
    assert found.clips == expected.clips
    (tmp_path / "old" / "training" / "fan.npy").write_bytes(b"")
    with pytest.raises(RequirementError, match="is damaged"):
        Detector.load(tmp_path / "old").score(clips, "fan")


def test_weights_travel_with_the_system(trained_run, small_dataset, tmp_path):
    weights = tmp_path / "elsewhere" / "weights.safetensors"
    weights.parent.mkdir()
    torch.manual_seed(1)
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), weights)
    params = {"pretrained-timm.backbone": "test_resnet", "pretrained-timm.weights": str(weights)}
    record = trained_run("pretrained-timm", "knn", params=params, out=tmp_path / "runs")
    path = fit_run(record).save(tmp_path / "fan.asd")
    weights.unlink()
    path = path.rename(tmp_path / "carried.asd")
    clips = sorted((small_dataset / "fan" / "test").iterdir())
    lines = (tmp_path / "runs" / record.run_id / "scores" / "anomaly_score_fan_section_00_test.csv").read_text().split()
    of_run = {name: float(score) for name, score in (line.split(",") for line in lines)}
    found = Detector.load(path).score(clips, "fan").scores
    assert np.allclose(found, [of_run[clip.name] for clip in clips], rtol=1e-5)
    assert np.ptp(found) > 0
    (copy,) = (name for name in members(path) if name.startswith("files/"))
    rewritten(path, lambda content: flip(content, copy))
    with pytest.raises(RequirementError, match=r"weights\.safetensors is not as it was written"):
        Detector.load(path)


def test_a_folder_of_weights_and_a_tuned_encoder_travel_too(small_dataset, tmp_path):
    """What is read of the folder is in the file, once for both machine types; what else lies there is not."""
    folder, _ = write_eat(tmp_path / "eat")
    (tmp_path / "eat" / "README.md").write_text("read by nobody")
    params = {"encoder": "eat", "weights": folder, "rank": 2, "dim": 4, "steps": 1, "crop_s": 0.3}
    params = {f"lora-classifier.{name}": value for name, value in params.items()}
    fitted = asdbench.fit(small_dataset, "lora-classifier", "knn", params=params, held_out=0)
    clips = sorted(small_dataset.glob("fan/test/*.wav"))[:2]
    scores = fitted.score(clips, "fan").scores
    path = fitted.save(tmp_path / "eat.asd")
    shutil.rmtree(folder)
    assert np.array_equal(Detector.load(path).score(clips, "fan").scores, scores)
    copies = [name.rpartition("/")[2] for name in members(path) if name.startswith("files/")]
    assert sorted(copies) == ["config.json", "model.safetensors"]


def test_embeddings_from_elsewhere_make_no_detector(trained_run, small_dataset, tmp_path):
    clips = sorted(path.relative_to(small_dataset) for path in small_dataset.rglob("*.wav"))
    rows = np.random.default_rng(0).normal(size=(len(clips), 3))
    np.savez(tmp_path / "rows.npz", **{str(clip): row for clip, row in zip(clips, rows, strict=True)})
    record = trained_run("precomputed", "knn", params={"frontend.file": str(tmp_path / "rows.npz")})
    with pytest.raises(RequirementError, match="new recordings have none"):
        fit_run(record)


def test_code_of_third_parties_is_named_by_the_user_and_has_to_be_the_same(trained_run, small_dataset, tmp_path):
    plugin = tmp_path / "plugin"
    (plugin / "registry" / "extractors").mkdir(parents=True)
    (plugin / "registry" / "extractors" / "loudness.toml").write_text(PLUGIN_CARD)
    (plugin / "loudness_of_tests.py").write_text(PLUGIN_CODE)
    record = trained_run("loudness", "identity", plugin_path=[plugin])
    path = fit_run(record, plugin_path=[plugin]).save(tmp_path / "fan.asd")
    clip = next((small_dataset / "fan" / "test").iterdir())
    assert np.isfinite(Detector.load(str(path), plugin_path=[plugin]).score([clip], "fan").scores).all()
    assert Detector.load(path, plugin_path=[plugin]).content.members[0].extractor.plugin == str(plugin)
    with pytest.raises(RequirementError, match=f"'loudness', which is not there. It was of {plugin}.\nName the folder"):
        Detector.load(path)
    (plugin / "loudness_of_tests.py").write_text(PLUGIN_CODE.replace("mean", "max"))
    with pytest.raises(RequirementError, match="code of loudness has changed since the run"):
        fit_run(record, plugin_path=[plugin])
    with pytest.raises(RequirementError, match="not the one that was fitted"):
        Detector.load(path, plugin_path=[plugin])


def test_code_within_a_chain_of_an_ensemble_has_to_be_the_same(trained_run, tmp_path):
    plugin = tmp_path / "plugin"
    (plugin / "registry" / "steps").mkdir(parents=True)
    card = 'summary = "Twice as long."\ntarget = "twice_of_tests:Twice"\nversion = 1\n'
    (plugin / "registry" / "steps" / "twice.toml").write_text(card)
    (plugin / "twice_of_tests.py").write_text(STEP_CODE)
    out = tmp_path / "runs"
    record = trained_run("raw-mel:twice+knn,raw-mel:gmm", "ensemble", plugin_path=[plugin], out=out)
    clips, rows = reopen(record, plugin_path=[plugin]).embeddings("fan")
    assert rows.shape == (len(clips), 2)
    (plugin / "twice_of_tests.py").write_text(STEP_CODE.replace("2 *", "3 *"))
    with pytest.raises(RequirementError, match="code of twice has changed since the run"):
        reopen(record, plugin_path=[plugin])
