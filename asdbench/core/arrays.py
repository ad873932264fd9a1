"""Read NumPy's files as they come from anybody: nothing is unpickled, and no header is believed about its size."""

from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from asdbench.core.numbers import size_text

LARGE = 2**30  # bytes; whatever is smaller is read, however well it is compressed
RATIO = 100  # that arrays of measured numbers are not compressed by


class ArrayFileError(ValueError):
    """A file that holds no array, or not the one that its header announces; the message says why."""


def load_npy(path: Path) -> NDArray[Any]:
    """The array of a .npy file.

    Raises:
        ArrayFileError: it is no .npy file, holds objects, or less than its header announces.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _read(file, path.stat().st_size)


def load_npz(path: Path) -> list[tuple[str, NDArray[Any]]]:
    """Names and arrays of a .npz file, in its order; what is no array is left out.

    Raises:
        ArrayFileError: an array holds objects, or less than is announced; the message names it.
        Exception: whatever ``zipfile`` raises over a file that is no zip, or a damaged one.
    """
    arrays = []
    with ZipFile(path) as file:
        members = [member for member in file.infolist() if member.filename.endswith(".npy")]
        if sum(member.compress_size for member in members) > path.stat().st_size:
            raise ArrayFileError("its arrays overlap: together they take more room than the file")
        packed = [member for member in members if member.file_size > RATIO * member.compress_size]
        size, unpacked = sum(one.compress_size for one in packed), sum(one.file_size for one in packed)
        if unpacked > LARGE:
            raise ArrayFileError(
                f"'{packed[0].filename.removesuffix('.npy')}' and what is compressed like it are to unpack to "
                f"{size_text(unpacked)} from {size_text(size)}, more than {RATIO} times; where that is right, write "
                "them uncompressed, with numpy.savez"
            )
        for member in members:
            name = member.filename.removesuffix(".npy")
            try:
                with file.open(member) as content:
                    arrays.append((name, _read(content, member.file_size)))
            except ValueError as error:
                raise ArrayFileError(f"'{name}' {error}") from error
    return arrays


def _read(file: IO[bytes], size: int) -> NDArray[Any]:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ArrayFileError("has columns with names of their own; accepted are plain arrays")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_column, dtype = read_header(file)
    if dtype.hasobject:
        raise ArrayFileError("holds Python objects, which are never unpickled; accepted are arrays of numbers")
    content = file.read(size)
    try:
        return np.ndarray(shape, dtype, content, order="F" if by_column else "C")
    except (TypeError, ValueError, OverflowError) as error:  # NumPy asks whether there is enough for this shape
        raise ArrayFileError(f"announces the shape {shape} of {dtype}, and {len(content)} bytes follow") from error
