"""Read embeddings by file name from a .npz or a .parquet."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.arrays import LARGE, ArrayFileError, load_npz
from asdbench.core.errors import DataError
from asdbench.core.numbers import size_text
from asdbench.frontends.embedding_columns import ColumnError, described, dimensions, quoted

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

NAME_COLUMNS = ("name", "file", "file_name", "filename", "path", "__index_level_0__")  # the last is pandas' own
INDEX = "__index_level_"  # what pandas calls an index without a name
FOLDED = 1000  # times that a table may be larger than its file; repeated numbers are stored once
LOST = 1e-3  # of a dimension's deviation; a larger error of single precision is no rounding any more
NEGLIGIBLE = 1e-9  # of the largest deviation; dimensions below are constant but for the rounding of sums
TOO_LONG = "holds integers beyond 2^24 that single precision (float32) would change; scale them"
FORMS = (
    "a .npz with an array for each file name, or with 'names' and 'embeddings', or a .parquet with a column 'name' and "
    "either a column of vectors, or columns of numbers that are numbered alike (e0, e1, ...), or those that "
    "embedding-file.columns names"
)


@dataclass(frozen=True)
class EmbeddingTable:
    """Embeddings by file name.

    Attributes:
        names: of the clips.
        arrays: float32 (frames, dim) each; an embedding of the whole clip is one frame.
        source: what they were read from, for a message, where not all of the file's numbers are of the embedding.
        dimensions: names of the dimensions, where they have any.
    """

    names: Sequence[str]
    arrays: Sequence[NDArray[Any]]
    source: str = ""
    dimensions: Sequence[str] = ()


def read_embeddings(path: Path, columns: Sequence[str] = ()) -> EmbeddingTable:
    """Names and arrays.

    Args:
        path: a .npz or a .parquet.
        columns: of a .parquet that are the embedding; those that are numbered alike when none are named.

    Raises:
        DataError: the file is of another kind or form, its arrays are not finite or of differing dimensions, or single
            precision cannot hold them.
    """
    readers: dict[str, Callable[[Path, Sequence[str]], EmbeddingTable]] = {".npz": _npz, ".parquet": _parquet}
    try:
        if path.suffix.lower() not in readers:
            raise ArrayFileError(f"its name ends in '{path.suffix}'")
        table = readers[path.suffix.lower()](path, columns)
        if len(table.names) != len(table.arrays) or not table.names:
            raise ArrayFileError(f"it has {len(table.names)} names and {len(table.arrays)} embeddings")
        return replace(table, arrays=_single_precision(table))
    except Exception as error:  # libraries raise anything over a damaged file
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        if isinstance(error, MemoryError):
            reason = "it does not fit into memory"
        raise DataError(
            f"{path} cannot be used as a file of embeddings: {reason}.", advice=f"Accepted: {FORMS}."
        ) from error


def _single_precision(table: EmbeddingTable) -> list[NDArray[np.float32]]:
    """Every array as float32 (frames, dim).

    Raises:
        ArrayFileError: an array is none of finite numbers that single precision can hold.
    """
    arrays = []
    for name, array in zip(table.names, table.arrays, strict=True):
        if array.dtype.kind not in "fiu":
            kind = "complex numbers" if array.dtype.kind == "c" else str(array.dtype)
            raise ArrayFileError(f"'{name}' holds {kind}; accepted are integers and floating-point numbers")
        arrays.append(np.atleast_2d(array))
        if arrays[-1].ndim != 2 or not array.size:
            raise ArrayFileError(f"'{name}' is neither (dim,) nor (frames, dim)")
    dims = [array.shape[1] for array in arrays]
    if len(set(dims)) > 1:
        usual = Counter(dims).most_common(1)[0][0]
        odd = next(name for name, dim in zip(table.names, dims, strict=True) if dim != usual)
        raise ArrayFileError(
            f"its embeddings have differing numbers of dimensions: {min(dims)} to {max(dims)}, '{odd}' for one"
        )
    bad = [name for name, one in zip(table.names, arrays, strict=True) if not np.isfinite(one).all()]
    if bad:
        raise ArrayFileError(f"{len(bad)} of {len(arrays)} embeddings are not finite, '{bad[0]}' first")
    with np.errstate(over="ignore", under="ignore"):
        single = [np.ascontiguousarray(one, np.float32) for one in arrays]
    for name, one, cast in zip(table.names, arrays, single, strict=True):
        if not np.isfinite(cast).all():
            raise ArrayFileError(f"'{name}' holds {np.abs(one).max():g}, which single precision (float32) cannot hold")
    if not all(np.can_cast(one.dtype, np.float32) for one in arrays):
        _require_differences(table, arrays, single)
    return single


def _require_differences(
    table: EmbeddingTable, arrays: Sequence[NDArray[Any]], single: Sequence[NDArray[np.float32]]
) -> None:
    """Refuse numbers that single precision makes alike.

    Raises:
        ArrayFileError: integers that are not themselves any more, or a dimension whose differences are lost.
    """
    for name, one in zip(table.names, arrays, strict=True):
        if one.dtype.kind in "iu" and not _exact_in_float32(one):
            raise ArrayFileError(f"'{name}' {TOO_LONG}")
    with np.errstate(over="ignore"):
        exact = np.concatenate([np.asarray(one, np.result_type(one, np.float64)) for one in arrays])
        error = np.abs(exact - np.concatenate(single)).max(axis=0)
        deviation = exact.std(axis=0)
    lost = np.flatnonzero((error > LOST * deviation) & (deviation > NEGLIGIBLE * deviation.max()))
    if len(lost):
        name = f"the column '{table.dimensions[lost[0]]}'" if table.dimensions else f"dimension {lost[0]} (from 0)"
        size, spread = np.abs(exact[:, lost[0]]).max(), deviation[lost[0]]
        raise ArrayFileError(
            f"{len(lost)} of {exact.shape[1]} dimensions differ by too little for single precision (float32), {name} "
            f"first: up to {size:g} with a deviation of {spread:g}. Take their means off, or scale them"
        )


def _exact_in_float32(integers: NDArray[Any]) -> bool:
    """Whether float32 holds all of these integers: from the first bit that is set to the last there are 24 at most."""
    sizes = np.abs(integers).astype(np.uint64)
    steps = np.maximum(sizes & (~sizes + np.uint64(1)), np.uint64(1))
    return bool((sizes // steps < 2**24).all())


def _npz(path: Path, columns: Sequence[str]) -> EmbeddingTable:
    if columns:
        raise ColumnError("embedding-file.columns names columns of a .parquet; a .npz has none")
    content = load_npz(path)
    arrays = dict(content)
    if not {"names", "embeddings"} <= arrays.keys():
        return EmbeddingTable([name for name, _ in content], [array for _, array in content])
    names = arrays["names"]
    if names.dtype.kind not in "US" or names.ndim != 1:
        raise ArrayFileError(f"'names' holds {names.dtype} {names.shape}; accepted are texts (n,)")
    others = [name for name in arrays if name not in ("names", "embeddings")]
    source = f"the array 'embeddings' (left out: {quoted(others)})" if others else ""
    texts = np.char.decode(names, "utf-8") if names.dtype.kind == "S" else names
    return EmbeddingTable(texts.tolist(), list(np.atleast_1d(arrays["embeddings"])), source)


def _parquet(path: Path, columns: Sequence[str]) -> EmbeddingTable:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        _require_plausible(file.metadata, path.stat().st_size)
        kinds = {field.name: _kind(field.type) for field in file.schema_arrow}
        texts = [name for name, kind in kinds.items() if kind == "text"]
        named = next((name for name in NAME_COLUMNS if name in texts), None)
        if named is None:
            raise ColumnError(f"no column of file names; it has {', '.join(kinds)}")
        of_names = [*(name for name in ("machine", "split") if name in texts), named]
        candidates = {name: kind for name, kind in kinds.items() if name not in of_names and not name.startswith(INDEX)}
        chosen = dimensions(candidates, columns)
        table = file.read(columns=[*of_names, *chosen])
    parts_of_names = zip(*(table[name].to_pylist() for name in of_names), strict=True)
    names = [_joined(parts, row) for row, parts in enumerate(parts_of_names)]
    source = described(candidates, chosen)
    if candidates[chosen[0]] == "vector":
        return EmbeddingTable(names, [_vector(one) for one in table[chosen[0]].to_numpy()], source)
    rows = np.stack([_numbers(name, table[name]) for name in chosen], axis=1)
    return EmbeddingTable(names, list(rows), source, chosen)


def _require_plausible(metadata: "pyarrow.parquet.FileMetaData", size: int) -> None:
    """Refuse a table that no file of this size can hold.

    Raises:
        ArrayFileError: it is one.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    announced = 8 * sum(group.column(number).num_values for group in groups for number in range(group.num_columns))
    if announced > max(LARGE, FOLDED * size):
        raise ArrayFileError(f"it announces {size_text(announced)} in a file of {size_text(size)}")


def _kind(kind: "pyarrow.DataType") -> str:
    from pyarrow import types

    if types.is_dictionary(kind):
        return "text" if _kind(kind.value_type) == "text" else str(kind)
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    if types.is_floating(kind) or types.is_integer(kind):
        return "number"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "vector" if _kind(kind.value_type) in ("number", "vector") else str(kind)
    return str(kind)


def _joined(parts: Sequence[str | None], row: int) -> str:
    if any(part is None for part in parts):
        raise ArrayFileError(f"row {row} (from 0) has no name")
    return "/".join(map(str, parts))


def _numbers(name: str, column: "pyarrow.ChunkedArray") -> NDArray[Any]:
    """Numbers of a column, in a type that those of the others can be put beside without changing them."""
    numbers: NDArray[Any] = column.to_numpy()  # missing ones become NaN
    if numbers.dtype.kind not in "iu":
        return numbers
    if not _exact_in_float32(numbers):
        raise ArrayFileError(f"the column '{name}' {TOO_LONG}")
    return numbers.astype(np.float32)


def _vector(value: Any) -> NDArray[Any]:
    if value is None:
        return np.full(1, np.nan)
    array = np.asarray(value)
    return np.stack([np.asarray(one) for one in array]) if array.dtype == object else array
