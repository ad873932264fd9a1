"""Read embeddings by file name from a .npz or a .parquet."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import DataError

if TYPE_CHECKING:
    import pyarrow

Array = NDArray[np.float32]
NAME_COLUMNS = ("name", "file", "file_name", "filename", "path", "__index_level_0__")  # the last is pandas' own
# Numbers that are no dimension of an embedding, and would tell what a system must not know.
NO_DIMENSION = {
    "label", "labels", "class", "target", "is_target", "is_source", "y", "y_true", "anomaly", "is_anomaly",
    "anomaly_score", "score", "is_normal", "anomalous", "normal", "ground_truth", "condition", "domain", "section",
    "split", "is_train", "is_test", "fold", "machine", "machine_type", "attribute", "attributes", "index", "id",
    "file_id",
}  # fmt: skip
FORMS = (
    "a .npz with an array for each file name, or with 'names' and 'embeddings', or a .parquet with a column 'name' and "
    "a column of lists, or a column for each dimension"
)


def read_embeddings(path: Path) -> tuple[list[str], list[Array]]:
    """Names and arrays, float32 (frames, dim) each; an embedding of the whole clip is one frame.

    Raises:
        DataError: the file is of another kind or form, or its arrays are not finite or of differing dimensions.
    """
    readers: dict[str, Callable[[Path], tuple[list[str], Sequence[Any]]]] = {".npz": _npz, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise _unusable(path, f"its name ends in '{path.suffix}'")
    try:
        names, found = readers[path.suffix.lower()](path)
        arrays = [np.atleast_2d(np.asarray(one)).astype(np.float32) for one in found]
    except (OSError, ValueError, TypeError, BadZipFile) as error:  # pyarrow's errors are among them
        raise _unusable(path, str(error).strip().splitlines()[0]) from error
    if len(names) != len(arrays) or not names:
        raise _unusable(path, f"it has {len(names)} names and {len(arrays)} embeddings")
    odd = next((name for name, one in zip(names, arrays, strict=True) if one.ndim != 2 or not one.size), None)
    if odd is not None:
        raise _unusable(path, f"'{odd}' is neither (dim,) nor (frames, dim)")
    dims = {one.shape[1] for one in arrays}
    if len(dims) > 1:
        raise _unusable(path, f"its embeddings have differing numbers of dimensions: {min(dims)} to {max(dims)}")
    bad = [name for name, one in zip(names, arrays, strict=True) if not np.isfinite(one).all()]
    if bad:
        raise _unusable(path, f"{len(bad)} of {len(names)} embeddings are not finite, '{bad[0]}' first")
    return names, arrays


def _unusable(path: Path, reason: str) -> DataError:
    return DataError(f"{path} cannot be used as a file of embeddings: {reason}.", advice=f"Accepted: {FORMS}.")


def _npz(path: Path) -> tuple[list[str], Sequence[Any]]:
    with np.load(path, allow_pickle=False) as content:
        if set(content) == {"names", "embeddings"}:
            return [str(name) for name in content["names"]], content["embeddings"]
        return list(content), [content[name] for name in content]


def _parquet(path: Path) -> tuple[list[str], Sequence[Any]]:
    import pyarrow.parquet
    from pyarrow import types

    table = pyarrow.parquet.ParquetFile(path).read()
    kinds = {field.name: field.type for field in table.schema}
    texts = [name for name, kind in kinds.items() if types.is_string(kind) or types.is_large_string(kind)]
    named = next((name for name in NAME_COLUMNS if name in texts), None)
    if named is None:
        raise ValueError(f"no column of file names; it has {', '.join(kinds)}")
    folders = [name for name in ("machine", "split") if name in texts]
    names = ["/".join(parts) for parts in zip(*(table[name].to_pylist() for name in [*folders, named]), strict=True)]
    lists = [
        name
        for name, kind in kinds.items()
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    ]
    if len(lists) > 1:
        raise ValueError(f"several columns of lists: {', '.join(lists)}")
    return names, table[lists[0]].to_pylist() if lists else _columns(table, kinds)


def _columns(table: "pyarrow.Table", kinds: dict[str, Any]) -> Sequence[Any]:
    from pyarrow import types

    numbers = [
        name
        for name, kind in kinds.items()
        if (types.is_floating(kind) or types.is_integer(kind)) and name != "__index_level_0__"
    ]
    telling = [name for name in numbers if name.casefold() in NO_DIMENSION]
    if telling:
        raise ValueError(f"the column '{telling[0]}' is no dimension of an embedding; leave it out")
    return list(np.column_stack([table[name].to_numpy() for name in numbers])) if numbers else []
