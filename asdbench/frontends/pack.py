"""Many arrays of differing length in one memory-mapped file.

An entry of the cache: ``numbers.bin`` holds the numbers one clip after the other, ``index.json`` the keys and shapes.
"""

import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.files import write_text
from asdbench.core.store import StoredFolder, Warn
from asdbench.datasets.clips import content_of

Array = NDArray[np.floating[Any]]
NUMBERS, INDEX = "numbers.bin", "index.json"
HELD = 2**27  # bytes; what a process has mapped of a pack stays near this, however large the pack


class PackWriter:
    """Appends arrays to a pack under construction."""

    def __init__(self, file: IO[bytes], dtype: str) -> None:
        self._file = file
        self.dtype = np.dtype(dtype)
        self.shapes: dict[str, tuple[int, ...]] = {}

    def add(self, key: str, values: NDArray[Any]) -> None:
        """Append one array under its key."""
        self._file.write(np.ascontiguousarray(values, self.dtype).data)
        self.shapes[key] = values.shape


@contextmanager
def write_pack(path: Path, dtype: str = "float32") -> Iterator[PackWriter]:
    """Write the pack ``path``, a folder, whole, or nothing."""
    with StoredFolder(path).written() as folder:
        with (folder / NUMBERS).open("wb") as file:
            writer = PackWriter(file, dtype)
            yield writer
        write_text(folder / INDEX, json.dumps({"dtype": dtype, "shapes": writer.shapes}))


@dataclass(frozen=True)
class Pack:
    """A finished pack, opened read-only. ``what`` is how people call it: "features of fan"."""

    path: Path
    what: str = "features"

    @property
    def intact(self) -> bool:
        """Whether it was written to its end, and is as it was written."""
        return StoredFolder(self.path).intact

    def verify(self, warn: Warn) -> bool:
        """Clear up what is damaged or half-written, while nobody else can be writing it; whether it is intact."""
        return StoredFolder(self.path, self.what).verify(warn)

    @cached_property
    def _index(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        content = json.loads((self.path / INDEX).read_text())
        index, offset = {}, 0
        for key, shape in content["shapes"].items():
            index[key] = (offset, tuple(shape))
            offset += int(np.prod(shape))
        return index

    @cached_property
    def _numbers(self) -> Array:
        dtype = json.loads((self.path / INDEX).read_text())["dtype"]
        return np.memmap(self.path / NUMBERS, dtype=dtype, mode="r")

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __getitem__(self, key: str) -> Array:
        offset, shape = self._index[key]
        found = self._numbers[offset : offset + int(np.prod(shape))].reshape(shape)
        self._let_go_after(found.nbytes)
        return found

    def _let_go_after(self, size: int) -> None:
        """Give pages back once many were read; arrays that are in use find them in the page cache again."""
        self._read[0] += size
        if self._read[0] > HELD:
            self._read[0] = 0
            if hasattr(mmap, "MADV_DONTNEED"):  # Windows has none
                self._numbers._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]

    @cached_property
    def _read(self) -> list[int]:
        return [0]  # bytes since pages were given back

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of one array, without reading it."""
        return self._index[key][1]


class FeatureReader:
    """Features by clip key: float32 arrays of shape (channels, bins, frames), memory-mapped.

    Knows keys only, neither files nor labels. Equal recordings have equal features, which lie in a pack once, under
    the digest that their keys share; features that were looked up by name lie under each clip's own key.
    """

    def __init__(self, packs: Sequence[Pack]) -> None:
        self._home: Mapping[str, Pack] = {key: pack for pack in packs for key in pack}

    def __getitem__(self, key: str) -> Array:
        place = self._place(key)
        return self._home[place][place]

    def __len__(self) -> int:
        return len(self._home)

    def shape(self, key: str) -> tuple[int, ...]:
        """(channels, bins, frames) of one clip."""
        place = self._place(key)
        return self._home[place].shape(place)

    def _place(self, key: str) -> str:
        return key if key in self._home else content_of(key)

    def batches(self, keys: Sequence[str], size: int) -> Iterator[tuple[list[int], Array]]:
        """Positions in ``keys`` and their stacked features (batch, channels, bins, frames), equal shapes together."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for position, key in enumerate(keys):
            by_shape.setdefault(self.shape(key), []).append(position)
        for positions in by_shape.values():
            for start in range(0, len(positions), size):
                chosen = positions[start : start + size]
                yield chosen, np.stack([self[keys[position]] for position in chosen])


class InMemoryFeatures(FeatureReader):
    """Features by clip key, given as arrays float32 (channels, bins, frames); for recordings that come once."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        super().__init__(())
        self._arrays = dict(arrays)

    def __getitem__(self, key: str) -> Array:
        return self._arrays[key]

    def __len__(self) -> int:
        return len(self._arrays)

    def shape(self, key: str) -> tuple[int, ...]:
        """(channels, bins, frames) of one clip."""
        return self._arrays[key].shape
