import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from asdbench.core.errors import DataError
from asdbench.frontends.embedding_tables import read_embeddings

DIM = 5


@pytest.fixture
def vectors():
    """An embedding for each of some clips, normal and anomalous ones."""
    rng = np.random.default_rng(0)
    names = [f"fan/test/section_00_{label}_{number}.wav" for label in ("normal", "anomaly") for number in range(6)]
    return {name: rng.normal(size=DIM).astype(np.float32) for name in names}


def read(path, columns=""):
    return read_embeddings(path, columns.split(",") if columns else ())


def agrees(table, vectors):
    return list(table.names) == list(vectors) and np.array_equal(np.concatenate(table.arrays), [*vectors.values()])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": np.zeros(3), "b": np.zeros(4)}, "differing numbers of dimensions: 3 to 4"),
        ({"a": np.array([1.0, np.nan])}, "1 of 1 embeddings are not finite, 'a' first"),
        ({"a": np.zeros((2, 2, 2))}, r"'a' is neither \(dim,\) nor \(frames, dim\)"),
        ({"a": np.array([{}], dtype=object)}, "cannot be used"),
        ({"names": np.array(["a"]), "embeddings": np.zeros((2, 3))}, "1 names and 2 embeddings"),
        ({"a": np.zeros(3), "b": np.zeros(3), "labels": np.zeros(9)}, "3 to 9, 'labels' for one"),
        ({"a": np.array([1 + 2j])}, "'a' holds complex numbers"),
        ({"a": np.array(["1"])}, "'a' holds <U1"),
        ({"a": np.array([True])}, "'a' holds bool"),
        ({"a": np.array([(1.0, 0)], dtype=[("e0", "f4"), ("label", "i4")])}, "'a' holds .*label"),
        ({"a": np.array([1e39])}, r"'a' holds 1e\+39, which single precision"),
        ({"a": np.array([2**24 + 1, 0])}, r"'a' holds integers beyond 2\^24"),
        ({"a": np.array([np.iinfo(np.int64).min + 1])}, r"'a' holds integers beyond 2\^24"),
        ({"a": np.array([0.0, 1e8]), "b": np.array([1.0, 1e8 + 1])}, r"1 of 2 dimensions .* dimension 1 \(from 0\)"),
        ({"a": np.array([0.0, 1e-50]), "b": np.array([0.0, 3e-50])}, "1 of 2 dimensions differ by too little"),
        ({}, "0 names and 0 embeddings"),
    ],
)
def test_arrays_that_cannot_be_used(content, reason, tmp_path):
    np.savez(tmp_path / "bad.npz", **content)
    with pytest.raises(DataError, match=reason):
        read(tmp_path / "bad.npz")


def test_tables_that_cannot_be_used(tmp_path):
    path = tmp_path / "bad.parquet"
    pd.DataFrame({"name": ["a"], "x": [1.0], "is_anomaly": [1]}).to_parquet(path)
    with pytest.raises(DataError, match=r"neither a column of vectors nor columns .* but 'x', 'is_anomaly'"):
        read(path)
    pd.DataFrame({"clip": ["a"], "x": [1.0]}).to_parquet(path)
    with pytest.raises(DataError, match="no column of file names; it has clip, x"):
        read(path)
    path.write_text("no table")
    with pytest.raises(DataError, match=r"bad\.parquet cannot be used as a file of embeddings"):
        read(path)
    (tmp_path / "bad.csv").write_text("name,x\n")
    with pytest.raises(DataError, match=r"its name ends in '\.csv'"):
        read(tmp_path / "bad.csv")


def with_more(vectors, tmp_path, **columns):
    """A table whose e0, e1 ... are the embeddings, beside other columns."""
    frame = pd.DataFrame(np.stack(list(vectors.values())), columns=[f"e{number}" for number in range(DIM)])
    pd.DataFrame({"name": list(vectors), **columns}).join(frame).to_parquet(tmp_path / "more.parquet")
    return tmp_path / "more.parquet"


def labels_of(vectors):
    return np.array([9.0 * ("_anomaly_" in name) for name in vectors])


@pytest.mark.parametrize(
    "column", ["is_abnormal", "gt", "Unnamed: 0", "level_0", "duration", "e", "E7", "e_0", "label_0", "0", "x.1", "e0 "]
)
def test_other_columns_of_numbers_are_left_out_and_named(column, vectors, tmp_path):
    table = read(with_more(vectors, tmp_path, **{column: labels_of(vectors)}))
    assert agrees(table, vectors)
    assert table.source == f"the columns 'e0' to 'e{DIM - 1}' (left out: '{column}')"


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (["label_0", "label_1"], "several of its columns could be the embedding: 'label_0' to 'label_1', 'e0' to 'e4'"),
        (["level_0", "level_1"], r"Say which: -p 'embedding-file.columns=level_\*', or .*columns=e\*'"),
        (["e7"], "'e4' is followed by 'e7'"),
        (["e00"], "'e00' is followed by 'e0'|'e0' is followed by 'e00'"),
    ],
)
def test_columns_that_could_be_the_embedding_are_asked_about(columns, reason, vectors, tmp_path):
    path = with_more(vectors, tmp_path, **dict.fromkeys(columns, labels_of(vectors)))
    with pytest.raises(DataError, match=reason):
        read(path)
    named = ",".join(f"e{number}" for number in range(DIM))
    assert agrees(read(path, columns=named), vectors)


def test_named_columns_are_taken_in_their_order(vectors, tmp_path):
    path = with_more(vectors, tmp_path, mean=labels_of(vectors))
    arrays = np.concatenate(read(path, columns="mean,e*").arrays)
    assert np.array_equal(arrays, np.column_stack([labels_of(vectors), *zip(*vectors.values(), strict=True)]))
    with pytest.raises(DataError, match="it has no column 'f'; it has 'mean', 'e0'"):
        read(path, columns="f")
    with pytest.raises(DataError, match=r"the column 'e0', .* is named twice"):
        read(path, columns="e0,e1,e*")
    with pytest.raises(DataError, match=r"columns of a \.parquet"):
        np.savez(tmp_path / "a.npz", **vectors)
        read(tmp_path / "a.npz", columns="e*")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"y_0": 0.0, "y_1": 1.0}, "'y_0' to 'y_1' may tell the label"),
        ({"label": [0.0, 1.0]}, "'label' may tell the label"),
        ({"one": [0.0], "other": [1.0]}, "several of its columns could be the embedding: 'one', 'other'"),
        ({"e0": 0.0}, "but 'e0'. Name those that are the embedding"),
        ({"e0": 0.0, "e1": "1.0"}, "the column 'e1' holds text, no number"),
        ({"e0": 1e8, "e1": 2**60 + 1}, "the column 'e1' holds integers beyond"),
        ({"e": ["a"]}, "neither a column of vectors"),
    ],
)
def test_tables_without_columns_that_are_recognised(columns, reason, tmp_path):
    pd.DataFrame({"name": ["a"], **{name: [value] for name, value in columns.items()}}).to_parquet(
        tmp_path / "a.parquet"
    )
    with pytest.raises(DataError, match=reason):
        read(tmp_path / "a.parquet")


def test_large_offsets_are_told_by_column_and_small_ones_are_no_matter(vectors, tmp_path):
    offset = 1e8 * np.eye(DIM)[3] + 100
    far = {name: row.astype(np.float64) + offset for name, row in vectors.items()}
    with pytest.raises(DataError, match=f"1 of {DIM} dimensions .* the column 'e3' first"):
        read(with_more(far, tmp_path))
    near = {name: np.append(row.astype(np.float64), 0.1)[1:] + 100 for name, row in vectors.items()}  # one is constant
    assert agrees(read(with_more(near, tmp_path)), {name: row.astype(np.float32) for name, row in near.items()})


def npz_of(path, header, content=b"", compressed=False):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        archive.writestr("fan/train/a.npy", file.getvalue() + content)
    return path


@pytest.mark.parametrize("shape", [(10**12,), (2, 10**6, 10**6), (-5,), (10**30, 0, 10**30, 7)])
def test_a_header_that_announces_too_much_is_not_believed(shape, tmp_path):
    path = npz_of(tmp_path / "huge.npz", {"descr": "<f4", "fortran_order": False, "shape": shape}, bytes(64))
    with pytest.raises(DataError, match=r"huge\.npz cannot be used .*'fan/train/a'"):
        read(path)


def test_what_unpacks_beyond_belief_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("asdbench.core.arrays.LARGE", 10**6)
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**6,)}
    path = npz_of(tmp_path / "zeros.npz", header, bytes(4 * 10**6), compressed=True)
    with pytest.raises(DataError, match=r"'fan/train/a' .* unpack to 4\.0 MB from .* with numpy\.savez"):
        read(path)


def test_a_table_that_announces_beyond_belief_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("asdbench.frontends.embedding_tables.LARGE", 10**6)
    pd.DataFrame({"name": ["a"] * 10**6, "e0": 0.0, "e1": 0.0}).to_parquet(tmp_path / "zeros.parquet")
    with pytest.raises(DataError, match=r"it announces 24.* MB in a file of"):
        read(tmp_path / "zeros.parquet")
