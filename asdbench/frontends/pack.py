"""Arrays by key in one file of a stored folder, and features that are read from such packs.

``numbers.bin`` holds the numbers of one array after the other, ``index.json`` their keys, shapes and type.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.files import write_text
from asdbench.core.store import StoredFolder
from asdbench.datasets.clips import content_of

Array = NDArray[np.floating[Any]]
NUMBERS, INDEX = "numbers.bin", "index.json"
REMAP_AFTER = 256  # reads; mapping the file anew gives back the memory of what was read


def write_arrays(folder: Path, arrays: Iterable[tuple[str, NDArray[Any]]], dtype: str = "float32") -> None:
    """Fill the folder of a pack with arrays by key, one after the other as they come."""
    with writing_arrays(folder, dtype) as write:
        for key, values in arrays:
            write(key, values)


@contextmanager
def writing_arrays(folder: Path, dtype: str = "float32") -> Iterator[Callable[[str, NDArray[Any]], None]]:
    """The same, by a function that is called with each key and its array."""
    shapes = {}
    with (folder / NUMBERS).open("wb") as file:

        def write(key: str, values: NDArray[Any]) -> None:
            file.write(np.ascontiguousarray(values, dtype).data)
            shapes[key] = values.shape

        yield write
    write_text(folder / INDEX, json.dumps({"dtype": dtype, "shapes": shapes}))


class Pack(StoredFolder):
    """Arrays of differing length by key, memory-mapped; what a process has mapped does not grow with the pack."""

    @cached_property
    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.path / INDEX).read_text())
        return content

    @cached_property
    def _index(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Offset and shape."""
        index, offset = {}, 0
        for key, shape in self._content["shapes"].items():
            index[key] = (offset, tuple(shape))
            offset += math.prod(shape)
        return index

    @cached_property
    def _numbers(self) -> Array:
        return np.memmap(self.path / NUMBERS, self._content["dtype"], "r")

    @cached_property
    def _reads(self) -> Iterator[int]:
        return count(1)

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __getitem__(self, key: str) -> Array:
        if next(self._reads) % REMAP_AFTER == 0:
            vars(self).pop("_numbers", None)
        offset, shape = self._index[key]
        return self._numbers[offset : offset + math.prod(shape)].reshape(shape)

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of one array, without reading it."""
        return self._index[key][1]


class FeatureReader:
    """Features by clip key: float32 arrays of shape (channels, bins, frames).

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
