"""Whatever is damaged in the cache is told, made again, and gives the scores of the undisturbed run."""

import shutil

import pytest

from asdbench.core.progress import Silent
from asdbench.harness import execute

PARAMS = {"autoencoder.epochs": 1, "autoencoder.hidden_dim": 8, "autoencoder.hidden_layers": 1}


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def zero_page(path):
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 - 256
    content[max(0, middle) : middle + 512] = bytes(512)
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def put_a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.fixture
def cache(fresh_cache, tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def autoencoder(plan, cache):
    """Runs the autoencoder in a folder of its own; score files, and what was told of damage."""

    def run(out, machines=("fan",)):
        progress = Silent()
        asked = plan(extractor=["autoencoder"], scorer=["identity"], params=PARAMS, machine=list(machines), out=out)
        (record,) = execute(asked, progress)
        assert record.status == "done", record.failures
        found = {path.name: path.read_bytes() for path in (out / record.run_id / "scores").iterdir()}
        return found, [note for note in progress.notes if note.startswith("Damaged in the cache")]

    return run


def remove(path):
    path.unlink()


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        *(("embeddings/*/rows.npy", damage) for damage in (flip, zero_page, empty, put_a_folder, remove)),
        *(("trained/*/*.safetensors", damage) for damage in (flip, empty)),
        ("features/*/numbers.bin", zero_page),
    ],
)
def test_every_kind_of_entry(autoencoder, cache, tmp_path, file, damage):
    whole, told = autoencoder(tmp_path / "whole")
    assert told == []
    if file.startswith("features"):  # read again where nothing that was made of them is there
        shutil.rmtree(cache / "embeddings")
        shutil.rmtree(cache / "trained")
    damaged = next(path for path in sorted(cache.glob(file)) if ".checkpoint" not in str(path))
    damage(damaged)
    again, (line,) = autoencoder(tmp_path / "again")
    assert again == whole
    assert str(damaged.parent) in line
    assert damaged.name in line
    assert autoencoder(tmp_path / "once-more") == (whole, [])


def test_networks_that_are_trained_together_again(autoencoder, cache, tmp_path):
    whole, told = autoencoder(tmp_path / "whole", ("fan", "valve"))
    assert told == []
    damaged = sorted(cache.glob("trained/*/network.safetensors"))
    assert len(damaged) == 2
    for path in damaged:
        flip(path)
    again, told = autoencoder(tmp_path / "again", ("fan", "valve"))
    assert again == whole
    assert all(any(str(path.parent) in line for line in told) for path in damaged)


def test_the_digests_of_recordings(plan, cache, tmp_path):
    before = plan(out=tmp_path / "a").cells[0].run_id
    (index,) = cache.glob("digests/*/index.json")
    text = index.read_text()
    index.write_text(text[:-4] + ("0" if text[-4] != "0" else "1") + text[-3:])  # within a digest
    assert plan(out=tmp_path / "b").cells[0].run_id == before
    assert index.read_text() == text


def test_recordings_that_a_card_makes(cache):
    from asdbench.datasets.clips import Source
    from asdbench.harness.data import made_data, open_dataset
    from asdbench.registry import load_catalog

    values = {"clip_s": 1.0, "train_source": 2, "train_target": 1, "test": 4, "machines": "fan"}
    catalog, source = load_catalog(), Source("synthetic", params=tuple(values.items()))
    component = catalog.component("datasets", "synthetic", values)
    progress = Silent()
    before = open_dataset(source, catalog, progress=progress).fingerprint
    recording = sorted(made_data(component, cache, 1, progress).rglob("*.wav"))[3]
    assert progress.notes == []
    flip(recording)
    assert open_dataset(source, catalog, progress=progress).fingerprint == before
    (line,) = progress.notes
    assert recording.name in line


def test_an_entry_under_the_name_of_another_is_noticed(plan, cache, tmp_path):
    """Both are as they were written, and each is the other's."""
    options = {"extractor": ["raw-mel"], "scorer": ["knn"], "machine": ["fan"]}
    done = {}
    for name, poolings in (("mean", ["mean"]), ("std", ["std"])):
        asked = plan(**options, params={"raw-mel.poolings": poolings}, out=tmp_path / "first")
        (done[name],) = execute(asked, Silent())
    one, two = sorted((cache / "embeddings").iterdir())
    one.rename(cache / "aside")
    two.rename(one)
    (cache / "aside").rename(two)
    for name, poolings in (("mean", ["mean"]), ("std", ["std"])):
        progress = Silent()
        asked = plan(**options, params={"raw-mel.poolings": poolings}, out=tmp_path / "second")
        (record,) = execute(asked, progress)
        assert record.results == done[name].results
        (note,) = [note for note in progress.notes if note.startswith("Damaged in the cache")]
        assert ": it is embeddings/" in note
