"""Recordings that a trained system is to score, and their features: the same arithmetic as a run's."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import file_digest
from asdbench.datasets.audio import BadRecording
from asdbench.frontends import Frontend
from asdbench.frontends.decoding import Waveform, convert, decode


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording in memory.

    Attributes:
        samples: (samples,) or (samples, channels), floating point in [-1, 1].
        sample_rate_hz: of the samples.
        name: by which errors call it.
    """

    samples: NDArray[np.floating[Any]]
    sample_rate_hz: float
    name: str = ""


Recording = str | Path | Sound


@dataclass(frozen=True, eq=False)
class Decoded:
    """A recording as the extractor meets it.

    Attributes:
        key: digest of the file's bytes, as in a run; of an array, of its samples.
        features: float32 (channels, bins, frames).
    """

    key: str
    features: NDArray[np.float32]


def name_of(recording: Recording, position: int) -> str:
    """How errors call a recording: its path, its name, or its place (from 0)."""
    if isinstance(recording, Sound):
        return recording.name or f"recording {position} (an array)"
    return str(recording)


def decode_all(recordings: Sequence[Recording], frontend: Frontend, jobs: int) -> list[Decoded | BadRecording]:
    """Features of each recording, or why it cannot be used; decoded by ``jobs`` threads."""

    def read(recording: Recording) -> tuple[str, Waveform] | BadRecording:
        try:
            if isinstance(recording, Sound):
                return _of_array(recording, frontend)
            return _of_file(Path(recording), frontend)
        except BadRecording as reason:
            return reason

    with ThreadPoolExecutor(jobs) as pool:
        return [
            one if isinstance(one, BadRecording) else Decoded(one[0], _features(one[1], frontend))
            for one in pool.map(read, recordings)
        ]


def _features(waveform: Waveform, frontend: Frontend) -> NDArray[np.float32]:
    import torch

    features = frontend(torch.from_numpy(waveform[None])).numpy()[0]
    return np.ascontiguousarray(features, np.float32)  # in the order of a run's pack: sums depend on it


def _of_file(path: Path, frontend: Frontend) -> tuple[str, Waveform]:
    path = path.expanduser()
    try:
        if not path.is_file():
            raise BadRecording("is a folder, not a recording" if path.is_dir() else "there is no such file")
        return file_digest(path), decode(path, frontend)
    except OSError as error:
        raise BadRecording(f"cannot be read: {error.strerror or error}") from error


def _of_array(sound: Sound, frontend: Frontend) -> tuple[str, Waveform]:
    try:
        samples = np.asarray(sound.samples)
    except ValueError as error:
        raise BadRecording("holds rows of unequal length") from error
    if samples.dtype.kind != "f":
        raise BadRecording(f"holds {samples.dtype}; accepted are floating-point samples in [-1, 1]")
    if samples.ndim not in (1, 2):
        raise BadRecording(f"has the shape {samples.shape}; accepted are (samples,) and (samples, channels)")
    rate = sound.sample_rate_hz
    if not (np.isfinite(rate) and rate > 0 and rate == int(rate)):
        raise BadRecording(f"has a sample rate of {rate:g} Hz; accepted is a whole number above 0")
    samples = np.ascontiguousarray(samples.reshape(len(samples), -1), np.float32)
    header = f"{int(rate)} {samples.shape}".encode()
    key = hashlib.blake2b(header + samples.tobytes(), digest_size=16).hexdigest()
    return key, convert(samples, int(rate), frontend)
