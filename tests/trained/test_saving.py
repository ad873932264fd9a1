import json
import shutil

import numpy as np
import pytest
import timm
import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file

from asdbench.core.errors import RequirementError, UsageError
from asdbench.datasets import TrainingClip, read_folder
from asdbench.harness.replay import reopen
from asdbench.trained import load_system, save_system

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


def test_training_clips_are_kept_as_scorers_saw_them(trained_run, small_dataset, tmp_path):
    folder = save_system(trained_run("raw-mel", "knn"), tmp_path / "system")
    for machine in ("fan", "valve"):
        content = (folder / "training" / f"{machine}.json").read_bytes()
        clips = TypeAdapter(list[TrainingClip]).validate_json(content)
        assert clips == read_folder(small_dataset).select(machines=[machine]).training_view()
        assert {clip.domain for clip in clips} == {"source", "target"}
        rows = np.load(folder / "training" / f"{machine}.npy", allow_pickle=False)
        assert rows.dtype == np.float32
        assert len(rows) == len(clips) == 20


def test_nothing_is_replaced_and_a_cache_without_the_extractor_tells_to_train_it_again(
    trained_run, tmp_path, monkeypatch
):
    record = trained_run("raw-mel", "knn")
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="is there already"):
        save_system(record, tmp_path / "there")
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "empty"))
    with pytest.raises(RequirementError, match=r"no longer in the cache(.|\n)*--fresh"):
        save_system(record, tmp_path / "system")
    assert not list(tmp_path.glob("*system*"))


def test_a_run_that_scored_nothing_has_no_system(trained_run, tmp_path):
    record = trained_run("raw-mel", "knn").model_copy(update={"thresholds": {}})
    with pytest.raises(RequirementError, match="scored no machine type"):
        save_system(record, tmp_path / "system")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "there is no system.json": lambda folder: (folder / "system.json").unlink(),
    "system.json cannot be read": lambda folder: (folder / "system.json").write_text("{"),
    "A newer asdbench reads it": lambda folder: (folder / "system.json").write_text('{"schema_version": 99}'),
    "damaged: training/fan.npy is gone": lambda folder: (folder / "training" / "fan.npy").unlink(),
    "damaged: training/fan.json is empty": lambda folder: (folder / "training" / "fan.json").write_text(""),
    "damaged: training/valve.npy is not as": lambda folder: flip(folder / "training" / "valve.npy"),
    "damaged: extractors/0/network.safetensors is not": lambda folder: flip(
        folder / "extractors" / "0" / "network.safetensors"
    ),
    "damaged: extractors/0/.* is gone": lambda folder: shutil.rmtree(folder / "extractors"),
    "damaged: run.json is not as": lambda folder: flip(folder / "run.json"),
    "damaged: digests.json is gone": lambda folder: (folder / "digests.json").unlink(),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_damaged_folder_is_refused_by_name_before_anything_is_scored(message, trained_run, tmp_path):
    folder = save_system(trained_run("autoencoder", "identity"), tmp_path / "system")
    DAMAGES[message](folder)
    with pytest.raises(RequirementError, match=message) as caught:
        load_system(folder)
    assert str(folder) in str(caught.value)


def test_a_system_of_the_first_schema_has_no_digests_and_is_read(trained_run, small_dataset, tmp_path):
    folder = save_system(trained_run("raw-mel", "knn"), tmp_path / "system")
    (folder / "digests.json").unlink()
    content = json.loads((folder / "system.json").read_text())
    (folder / "system.json").write_text(json.dumps({**content, "schema_version": 1}))
    clip = next((small_dataset / "fan" / "test").iterdir())
    assert np.isfinite(load_system(folder).score([clip], "fan").scores).all()


def test_weights_travel_with_the_system(trained_run, small_dataset, tmp_path):
    weights = tmp_path / "elsewhere" / "weights.safetensors"
    weights.parent.mkdir()
    torch.manual_seed(1)
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), weights)
    params = {"pretrained-timm.backbone": "test_resnet", "pretrained-timm.weights": str(weights)}
    record = trained_run("pretrained-timm", "knn", params=params, out=tmp_path / "runs")
    save_system(record, tmp_path / "system")
    weights.unlink()
    folder = (tmp_path / "system").rename(tmp_path / "carried")
    clips = sorted((small_dataset / "fan" / "test").iterdir())
    lines = (tmp_path / "runs" / record.run_id / "scores" / "anomaly_score_fan_section_00_test.csv").read_text().split()
    of_run = {name: float(score) for name, score in (line.split(",") for line in lines)}
    found = load_system(folder).score(clips, "fan").scores
    assert np.allclose(found, [of_run[clip.name] for clip in clips], rtol=1e-5)
    assert np.ptp(found) > 0
    (copy,) = (folder / "files").rglob("weights.safetensors")
    content = copy.read_bytes()
    copy.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(RequirementError, match=r"weights\.safetensors is not as it was written"):
        load_system(folder)
    copy.unlink()
    with pytest.raises(RequirementError, match=r"weights\.safetensors is gone"):
        load_system(folder)


def test_embeddings_from_elsewhere_are_no_system(trained_run, small_dataset, tmp_path):
    clips = sorted(path.relative_to(small_dataset) for path in small_dataset.rglob("*.wav"))
    rows = np.random.default_rng(0).normal(size=(len(clips), 3))
    np.savez(tmp_path / "rows.npz", **{str(clip): row for clip, row in zip(clips, rows, strict=True)})
    record = trained_run("precomputed", "knn", params={"frontend.file": str(tmp_path / "rows.npz")})
    with pytest.raises(RequirementError, match="cannot be saved as a system"):
        save_system(record, tmp_path / "system")
    assert not (tmp_path / "system").exists()


def test_code_of_third_parties_is_named_by_the_user_and_has_to_be_the_same(trained_run, small_dataset, tmp_path):
    plugin = tmp_path / "plugin"
    (plugin / "registry" / "extractors").mkdir(parents=True)
    (plugin / "registry" / "extractors" / "loudness.toml").write_text(PLUGIN_CARD)
    (plugin / "loudness_of_tests.py").write_text(PLUGIN_CODE)
    record = trained_run("loudness", "identity", plugin_path=[plugin])
    folder = save_system(record, tmp_path / "system", plugin_path=[plugin])
    clip = next((small_dataset / "fan" / "test").iterdir())
    assert np.isfinite(load_system(str(folder), plugin_path=[plugin]).score([clip], "fan").scores).all()
    assert json.loads((folder / "system.json").read_text())["parts"]["extractors"]["plugin"] == str(plugin)
    with pytest.raises(RequirementError, match=f"'loudness', which is not there. It was of {plugin}.\nName the folder"):
        load_system(folder)
    (plugin / "loudness_of_tests.py").write_text(PLUGIN_CODE.replace("mean", "max"))
    with pytest.raises(RequirementError, match="code of loudness has changed since the run"):
        save_system(record, tmp_path / "other", plugin_path=[plugin])
    assert not (tmp_path / "other").exists()
    with pytest.raises(RequirementError, match="not the one that was trained"):
        load_system(folder, plugin_path=[plugin])


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
