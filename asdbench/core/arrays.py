"""Read NumPy's files as they come from anybody: nothing is unpickled, and nothing is allocated on a header's word."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from asdbench.core.numbers import size_text

LARGE = 2**30  # bytes; whatever is smaller is read, however well it is compressed
RATIO = 100  # that arrays of measured numbers are not compressed by
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class ArrayFileError(ValueError):
    """A file that holds no array, or not the one that it announces; the message says why."""


def load_npy(path: Path) -> NDArray[Any]:
    """The array of a .npy file.

    Raises:
        ArrayFileError: it holds objects, or less than its header announces.
        OSError: it cannot be read.
        ValueError: it is no .npy file.
    """
    with path.open("rb") as file:
        return _read(file, path.stat().st_size)


def load_npz(path: Path) -> list[tuple[str, NDArray[Any]]]:
    """Names and arrays of a .npz file, in its order; what is no array is left out.

    Raises:
        ArrayFileError: an array holds objects, or less than is announced; the message names it.
        Exception: whatever ``zipfile`` raises over a file that is no zip, or a damaged one.
    """
    found = []
    with ZipFile(path) as file:
        members = [member for member in file.infolist() if member.filename.endswith(".npy")]
        _require_plausible(members, path.stat().st_size)
        for member in members:
            name = member.filename.removesuffix(".npy")
            try:
                with file.open(member) as content:
                    found.append((name, _read(content, member.file_size)))
            except ValueError as error:
                raise ArrayFileError(f"'{name}' {error}") from error
    return found


def _read(file: IO[bytes], size: int) -> NDArray[Any]:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ArrayFileError("has columns with names of their own; accepted are plain arrays")
    shape, by_column, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ArrayFileError("holds Python objects, which are never unpickled; accepted are arrays of numbers")
    announced = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or announced > size - file.tell():
        raise ArrayFileError(
            f"announces {size_text(announced)} in its header (shape {shape}), and "
            f"{size_text(size - file.tell())} follow"
        )
    content = file.read(announced)
    if len(content) < announced:
        raise ArrayFileError(f"ends after {size_text(len(content))} of {size_text(announced)}")
    return np.ndarray(shape, dtype, content, order="F" if by_column else "C")


def _require_plausible(members: Sequence[ZipInfo], size: int) -> None:
    """Refuse what unpacks to more than a file of this size can hold.

    Raises:
        ArrayFileError: it does.
    """
    if sum(member.compress_size for member in members) > size:
        raise ArrayFileError(f"its arrays are to take more room than the {size_text(size)} of the file")
    packed = [member for member in members if member.file_size > RATIO * member.compress_size]
    unpacked = sum(member.file_size for member in packed)
    if unpacked > LARGE:
        raise ArrayFileError(
            f"'{packed[0].filename.removesuffix('.npy')}' and what is compressed like it are to unpack to "
            f"{size_text(unpacked)} from {size_text(sum(member.compress_size for member in packed))}, more than "
            f"{RATIO} times; where that is right, write them uncompressed, with numpy.savez"
        )
