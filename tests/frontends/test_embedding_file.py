import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

import asdbench
from asdbench.core.errors import DataError, RequirementError, UsageError
from asdbench.core.progress import Silent
from asdbench.datasets import read_folder
from asdbench.frontends import FeatureStore
from asdbench.harness.record import load_record
from asdbench.harness.replay import reopen
from asdbench.registry import load_catalog

DIM = 5


@pytest.fixture
def table(small_dataset):
    return read_folder(small_dataset)


@pytest.fixture
def vectors(table):
    """An embedding for each clip, by machine/split/name."""
    rng = np.random.default_rng(0)
    return {f"{clip.machine}/{clip.split}/{clip.name}": rng.normal(size=DIM).astype(np.float32) for clip in table}


class Notes(Silent):
    def __init__(self):
        self.heard = []

    def note(self, text):
        self.heard.append(text)


def read(path, table, tmp_path, progress=None, **params):
    front_end = load_catalog().component("frontends", "embedding-file", {"file": str(path), **params})
    return FeatureStore(tmp_path / "cache", 2, progress or Silent()).read(table, front_end)


def agrees(features, table, vectors):
    return all(
        np.array_equal(features[clip.key][0, :, 0], vectors[f"{clip.machine}/{clip.split}/{clip.name}"])
        for clip in table
    )


def write(form, path, vectors):
    names, rows = list(vectors), np.stack(list(vectors.values()))
    frame = pd.DataFrame(rows, columns=[f"dim{number}" for number in range(DIM)])
    match form:
        case "a key each":
            np.savez(path.with_suffix(".npz"), **vectors)
        case "names and embeddings":
            np.savez(path.with_suffix(".npz"), names=[f"/däta/{name}".encode() for name in names], embeddings=rows)
        case "lists":
            pd.DataFrame({"file": names, "embedding": list(rows), "label": 0}).to_parquet(path.with_suffix(".parquet"))
        case "columns":
            frame.insert(0, "file_name", [name.replace("/", "\\") for name in names])
            frame.to_parquet(path.with_suffix(".parquet"))
        case "pandas index":
            frame.set_index(pd.Index(names)).to_parquet(path.with_suffix(".parquet"))
        case "folders in columns":
            parts = pd.DataFrame([name.split("/") for name in names], columns=["machine", "split", "name"])
            pd.concat([frame, parts], axis=1).to_parquet(path.with_suffix(".parquet"))
    return next(path.parent.glob(f"{path.name}.*"))


@pytest.mark.parametrize(
    "form", ["a key each", "names and embeddings", "lists", "columns", "pandas index", "folders in columns"]
)
def test_every_form_gives_each_clip_its_own(form, table, vectors, tmp_path):
    shuffled = dict(sorted(vectors.items(), key=lambda item: hash(item[1].tobytes())))
    assert agrees(read(write(form, tmp_path / "vectors", shuffled), table, tmp_path), table, vectors)


def test_names_alone_where_they_are_unique(table, vectors, tmp_path):
    fans = table.select(machines=["fan"])
    np.savez(tmp_path / "fan.npz", **{name.rpartition("/")[2]: row for name, row in vectors.items() if "fan/" in name})
    assert agrees(read(tmp_path / "fan.npz", fans, tmp_path), fans, vectors)


@pytest.mark.parametrize("above", ["{0.machine}/{0.split}/", "{0.machine}/", ""])
def test_names_of_ones_own_have_folders(above, table, vectors, tmp_path):
    fans = [clip for clip in table if clip.machine == "fan"]
    own = replace(table, clips=tuple(replace(c, name=f"{'ab'[i % 2]}/{i // 2}.wav") for i, c in enumerate(fans)))
    rows = [vectors[f"{clip.machine}/{clip.split}/{clip.path.name}"] for clip in own]
    np.savez(tmp_path / "own.npz", names=[above.format(clip) + clip.name for clip in own], embeddings=np.stack(rows))
    features = read(tmp_path / "own.npz", own, tmp_path)
    assert all(np.array_equal(features[clip.key][0, :, 0], row) for clip, row in zip(own, rows, strict=True))


@pytest.mark.parametrize("ending", ["", ".flac", ".WAV"])
def test_the_ending_of_a_recording_does_not_matter(ending, table, vectors, tmp_path):
    renamed = {name.removesuffix(".wav") + ending: row for name, row in vectors.items()}
    np.savez(tmp_path / "renamed.npz", names=list(renamed), embeddings=np.stack(list(renamed.values())))
    assert agrees(read(tmp_path / "renamed.npz", table, tmp_path), table, vectors)


def test_names_alone_that_two_machine_types_share_are_refused(make_folder, dcase2023_names, tmp_path):
    table = read_folder(make_folder({"pump": dcase2023_names(), "fan": dcase2023_names()}))
    np.savez(tmp_path / "all.npz", **{clip.name: np.zeros(DIM) for clip in table})
    count = len(table)
    with pytest.raises(DataError, match=rf"names {count} of {count} clips by names that several(.|\n)*machine/train"):
        read(tmp_path / "all.npz", table, tmp_path)
    np.savez(tmp_path / "some.npz", **{f"{clip.machine}/{clip.name}": np.zeros(DIM) for clip in table})
    assert len(read(tmp_path / "some.npz", table, tmp_path)) == len(table)


def test_a_name_that_stands_twice_is_no_name(table, vectors, tmp_path):
    first = next(iter(vectors))
    names = [*vectors, f"elsewhere/{first}"]
    np.savez(tmp_path / "twice.npz", names=names, embeddings=np.zeros((len(names), DIM)))
    with pytest.raises(DataError, match=rf"names 1 of {len(vectors)} clips(.|\n)*{first}"):
        read(tmp_path / "twice.npz", table, tmp_path)


def test_missing_ones_are_counted_and_the_first_few_named(table, vectors, tmp_path):
    gone = list(vectors)[3:10]
    np.savez(tmp_path / "some.npz", **{name: row for name, row in vectors.items() if name not in gone})
    with pytest.raises(DataError) as caught:
        read(tmp_path / "some.npz", table, tmp_path)
    assert f"no embedding of 7 of {len(vectors)} clips" in str(caught.value)
    assert list(caught.value.problems) == [*gone[:5], "..."]
    assert not list((tmp_path / "cache").glob("**/*.bin"))


def test_those_of_no_clip_are_left_with_a_note(table, vectors, tmp_path):
    more = {**vectors, "pump/train/other.wav": np.zeros(DIM), "x.wav": np.zeros(DIM)}
    np.savez(tmp_path / "more.npz", names=list(more), embeddings=np.stack(list(more.values())), labels=np.zeros(3))
    notes = Notes()
    assert agrees(read(tmp_path / "more.npz", table, tmp_path, notes), table, vectors)
    (note,) = notes.heard
    assert f"2 of {len(more)} embeddings" in note
    assert f"{DIM} dimensions were read from the array 'embeddings' (left out: 'labels') of " in note


def test_frames_are_kept_and_another_content_is_another_pack(table, vectors, tmp_path):
    frames = {name: np.outer(np.arange(1, 4), row).astype(np.float32) for name, row in vectors.items()}
    np.savez(tmp_path / "frames.npz", **frames)
    features = read(tmp_path / "frames.npz", table, tmp_path)
    clip = table.clips[0]
    assert np.array_equal(features[clip.key][0], frames[f"{clip.machine}/{clip.split}/{clip.name}"].T)
    np.savez(tmp_path / "frames.npz", **vectors)
    assert agrees(read(tmp_path / "frames.npz", table, tmp_path), table, vectors)


def test_what_follows_knows_digests_and_no_names(table, vectors, tmp_path):
    np.savez(tmp_path / "vectors.npz", **vectors)
    features = read(tmp_path / "vectors.npz", table, tmp_path)
    kept = [json.loads(path.read_text()) for path in (tmp_path / "cache").glob("*/index.json")]
    assert {key for one in kept for key in one["shapes"]} == {clip.key for clip in table}
    assert vars(features).keys() == {"_home"}
    assert "normal" not in repr(kept)


def test_it_hears_nothing_new(tmp_path):
    with pytest.raises(UsageError, match="has no file"):
        asdbench.build("embedding-file")
    (tmp_path / "a.npz").touch()
    with pytest.raises(UsageError, match="new ones cannot be embedded"):
        asdbench.build("embedding-file", file=str(tmp_path / "a.npz"))(np.zeros((1, 9)))


def test_precomputed_embeddings_are_ranked_as_those_of_the_extractor_that_made_them(
    small_dataset, table, cli, own_cache, tmp_path
):
    log_mel = load_catalog().component("frontends", "log-mel")
    features = FeatureStore(own_cache / "features", 2, Silent()).read(table, log_mel)
    rows = asdbench.build("raw-mel").embed(list(table), SimpleNamespace(features=features))
    names = [f"{clip.machine}/{clip.split}/{clip.name}" for clip in table]
    np.savez(tmp_path / "made.npz", names=names, embeddings=rows)
    common = ["--dataset", small_dataset, "--scorer", "knn", "--out", tmp_path / "runs", "--json"]
    theirs = cli("run", "--extractor", "precomputed", "-p", f"frontend.file={tmp_path / 'made.npz'}", *common)
    ours = cli("run", "--extractor", "raw-mel", *common)
    assert (theirs.code, ours.code) == (0, 0), theirs.err
    (run,), (own,) = theirs.json["runs"], ours.json["runs"]
    assert run["machines"].keys() == {"fan", "valve"}
    assert run["machines"] == own["machines"]
    assert run["official_score"] == own["official_score"]


def test_a_missing_clip_ends_the_command_with_its_name(small_dataset, vectors, cli, tmp_path):
    name, _ = vectors.popitem()
    np.savez(tmp_path / "some.npz", **vectors)
    outcome = cli(
        "run", "--dataset", small_dataset, "--extractor", "precomputed", "--scorer", "knn", "--out", tmp_path / "runs",
        "-p", f"embedding-file.file={tmp_path / 'some.npz'}",
    )  # fmt: skip
    assert outcome.code == 3
    assert name in outcome.err.replace("\n", "")


def test_a_record_tells_the_content_and_holds_to_it(small_dataset, vectors, cli, tmp_path):
    path = tmp_path / "vectors.npz"
    np.savez(path, **vectors)
    cli(
        "run", "--dataset", small_dataset, "--extractor", "precomputed", "--scorer", "knn", "--out", tmp_path / "runs",
        "-p", f"frontend.file={path}",
    )  # fmt: skip
    record = load_record(next((tmp_path / "runs").iterdir()))
    assert record.frontend.files == {"file": hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()}
    assert record.extractor.files == {}
    reopen(record)
    np.savez(path, **{name: row + 1 for name, row in vectors.items()})
    with pytest.raises(RequirementError, match=r"embedding-file\.file names .*, whose content is not that of the run"):
        reopen(record)


@pytest.fixture
def placeholders(make_folder, dcase2023_names):
    """Two machine types whose recordings are all the same, byte for byte."""
    root = make_folder({"pump": dcase2023_names(), "fan": dcase2023_names()})
    paths = sorted(root.rglob("*.wav"))
    for path in paths[1:]:
        path.write_bytes(paths[0].read_bytes())
    return root


def test_clips_with_the_same_bytes_have_embeddings_of_their_own(placeholders, tmp_path):
    table = read_folder(placeholders)
    assert len({clip.content for clip in table}) == 1
    rng = np.random.default_rng(1)
    vectors = {f"{clip.machine}/{clip.split}/{clip.name}": rng.normal(size=DIM).astype(np.float32) for clip in table}
    np.savez(tmp_path / "vectors.npz", **vectors)
    assert agrees(read(tmp_path / "vectors.npz", table, tmp_path), table, vectors)
    for machine in table.machines:  # the parts are read as the whole was written
        part = table.select(machines=[machine], split="test")
        assert agrees(read(tmp_path / "vectors.npz", part, tmp_path), part, vectors)


def test_after_renaming_a_clip_has_the_embedding_of_its_new_name(small_dataset, vectors, tmp_path):
    root = shutil.copytree(small_dataset, tmp_path / "renamed")
    np.savez(tmp_path / "vectors.npz", **vectors)
    assert agrees(read(tmp_path / "vectors.npz", read_folder(root), tmp_path), read_folder(root), vectors)
    first, second, *_ = sorted((root / "fan" / "test").iterdir())
    first.rename(tmp_path / "x"), second.rename(first), (tmp_path / "x").rename(second)
    assert agrees(read(tmp_path / "vectors.npz", read_folder(root), tmp_path), read_folder(root), vectors)


def test_a_front_end_by_name_says_so_in_its_card(vectors, table, tmp_path):
    np.savez(tmp_path / "vectors.npz", **vectors)
    ours = load_catalog().component("frontends", "embedding-file", {"file": str(tmp_path / "vectors.npz")})
    silent = replace(ours, card=ours.card.model_copy(update={"by_name": False}))
    with pytest.raises(UsageError, match="Add to its card: by_name = true"):
        FeatureStore(tmp_path / "cache", 2, Silent()).read(table, silent)


def test_embeddings_of_placeholder_recordings_are_ranked_by_name(
    placeholders, cli, own_cache, tmp_path, official_score_of_files
):
    """Scores against SciPy's distances; as a member of an ensemble, and after renaming, with a warm cache."""
    table = read_folder(placeholders)
    rng = np.random.default_rng(2)
    vectors = {
        f"{clip.machine}/{clip.split}/{clip.name}": (rng.normal(size=DIM) + (clip.label or 0)).astype(np.float32)
        for clip in table
    }
    old = next(clip.name for clip in table if clip.machine == "fan" and clip.label == 1)
    new = old.replace("test_anomaly_0000", "test_normal_0009")
    vectors[f"fan/test/{new}"] = vectors[f"fan/test/{old}"][::-1].copy()
    np.savez(tmp_path / "vectors.npz", **vectors)

    def check(number, *words):
        out = tmp_path / f"runs{number}"
        ran = cli(
            "run", "--dataset", placeholders, "-p", f"embedding-file.file={tmp_path / 'vectors.npz'}", "-p",
            "knn.n_neighbors=1", "--out", out, *words, "--json",
        )  # fmt: skip
        assert ran.code == 0, ran.err
        (run,) = ran.json["runs"]
        folder = Path(run["record"]).parent
        for machine in ("fan", "pump"):
            rows = pd.read_csv(folder / f"scores/anomaly_score_{machine}_section_00_test.csv", header=None)
            train = np.stack([row for name, row in vectors.items() if name.startswith(f"{machine}/train/")])
            test = np.stack([vectors[f"{machine}/test/{name}"] for name in rows[0]])
            np.testing.assert_allclose(rows[1], cdist(test, train).min(axis=1), rtol=1e-5)
            assert sorted(rows[0]) == sorted(path.name for path in (placeholders / machine / "test").iterdir())
        assert run["official_score"] == pytest.approx(official_score_of_files(folder / "scores"), abs=1e-9)
        return folder

    folder = check(0, "--extractor", "precomputed", "--scorer", "knn")
    record = load_record(folder)
    assert record.dataset.train_clips == {m: len(table.select(machines=[m], split="train")) for m in ("fan", "pump")}
    assert cli("report", folder, "--to", tmp_path / "page.html").code == 0
    plain = ("-p", "ensemble.normalise=none", "-p", "ensemble.combine=maximum")  # the other hears no difference: 0
    check(1, "--extractor", "precomputed:knn,raw-mel:knn", "--scorer", "ensemble", *plain)
    (placeholders / "fan" / "test" / old).rename(placeholders / "fan" / "test" / new)
    check(2, "--extractor", "precomputed", "--scorer", "knn")
