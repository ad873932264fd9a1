"""Embeddings that were made elsewhere, in the place of features."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import DataError, UsageError
from asdbench.frontends.base import NamedFeatures, Place
from asdbench.frontends.embedding_tables import EmbeddingTable, read_embeddings

if TYPE_CHECKING:
    from torch import Tensor

AUDIO = (".wav", ".flac")
SHOWN = 5  # names in an error
AMBIGUOUS = -1


class EmbeddingFile(NamedFeatures):
    """Looks up each clip's embedding by its name: ``machine/split/name.wav``, or the end of it where that is unique.

    Folders before these are overlooked, and so is whether a name ends in .wav, .flac or neither. Features are
    (1, dim, frames); an embedding of a whole clip has one frame.

    Args:
        file: the embeddings, .npz or .parquet.
        columns: of a .parquet that are the embedding; in a name, ``*`` stands for a number.

    Raises:
        UsageError: no file is named.
    """

    sample_rate_hz = 16000
    channel = "0"
    frame_rate_hz = 1.0
    min_samples = 1

    def __init__(self, *, file: str, columns: Sequence[str]) -> None:
        if not file:
            raise UsageError("embedding-file has no file. Name it: -p embedding-file.file=EMBEDDINGS.npz")
        self._path = Path(file)
        self._columns = columns

    @cached_property
    def _table(self) -> EmbeddingTable:
        return read_embeddings(self._path, self._columns)

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], int]:
        """Row by the last three parts of its name, or AMBIGUOUS."""
        rows: dict[tuple[str, ...], int] = {}
        for row, name in enumerate(self._table.names):
            *folders, file = PurePosixPath(name.replace("\\", "/")).parts[-3:] or ("",)
            parts = (*folders, _bare(file))
            rows[parts] = AMBIGUOUS if parts in rows else row
        return rows

    def _row(self, place: Place) -> int | None:
        *folders, file = place.name.split("/")
        name = (*folders, _bare(file))
        above = ((place.machine, place.split), (place.machine,), (place.split,), ())
        spellings = [*((*some, *name)[-3:] for some in above), name[-1:]]
        return next((self._rows[one] for one in spellings if one in self._rows), None)

    def require(self, places: Sequence[Place]) -> str:
        """Make sure that there is one embedding for each of the places; a note on what is not of them, or ''.

        Raises:
            DataError: missing ones, or names that stand for several clips; the first few are named.
        """
        rows = {place: self._row(place) for place in places}
        missing = [place for place, row in rows.items() if row is None]
        if missing:
            raise DataError(
                f"{self._path} has no embedding of {len(missing)} of {len(places)} clips:",
                _first(missing),
                f"Its names are like '{self._table.names[0]}'. Accepted: machine/train/name.wav, "
                "machine/test/name.wav, or the file's name alone where no other clip has it.",
            )
        clips = defaultdict(set)
        for place, row in rows.items():
            clips[row].add(place.key)
        several = [place for place, row in rows.items() if row == AMBIGUOUS or len(clips[row]) > 1]
        if several:
            raise DataError(
                f"{self._path} names {len(several)} of {len(places)} clips by names that several have:",
                _first(several),
                "Put the folders in front: machine/train/name.wav, machine/test/name.wav.",
            )
        table, notes = self._table, []
        if table.source:
            notes.append(f"{table.arrays[0].shape[1]} dimensions were read from {table.source} of {self._path}.")
        over = len(table.names) - len(clips)
        if over:
            notes.append(f"{over} of {len(table.names)} embeddings in {self._path} belong to no clip here.")
        return " ".join(notes)

    def look_up(self, place: Place) -> NDArray[np.float32]:
        """(1, dim, frames)."""
        row = self._row(place)
        assert row is not None, "required before"
        return self._table.arrays[row].T[None]

    def __call__(self, waveform: "Tensor") -> "Tensor":
        """Refuse: there are embeddings of the file's recordings alone.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{self._path} has embeddings of known recordings, and new ones cannot be embedded by it. "
            "A system for new recordings needs an extractor that makes embeddings."
        )


def _bare(name: str) -> str:
    """A file's name without the ending of a recording."""
    return next((name[: -len(ending)] for ending in AUDIO if name.lower().endswith(ending)), name)


def _first(places: Sequence[Place]) -> list[str]:
    named = [f"{place.machine}/{place.split}/{place.name}" for place in places[:SHOWN]]
    return [*named, *(["..."] if len(places) > SHOWN else [])]
