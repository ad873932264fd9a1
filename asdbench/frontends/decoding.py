"""From recordings to features: decoded as the front end wants them, many at once, in order."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench.core.threads import pool_of_threads, torch_threads
from asdbench.datasets.audio import BadRecording, one_channel_at, read_audio
from asdbench.frontends.base import Frontend

Waveform = NDArray[np.float32]
Features = NDArray[np.float32]
# What a thread takes at a time, some recordings of 10 s: each that is handed over wakes the reader, who then wants
# Python's lock as the threads do.
BATCH, BATCH_BYTES = 16, 2**20
AHEAD = 4  # batches for each thread that wait for the reader


def decode(path: Path, frontend: Frontend) -> Waveform:
    """Samples as the front end wants them, float32 (samples,).

    Raises:
        BadRecording: the recording cannot be used, or is shorter than the front end needs.
    """
    return _long_enough(read_audio(path, frontend.sample_rate_hz, frontend.channel), frontend)


def convert(samples: Waveform, rate_hz: int, frontend: Frontend) -> Waveform:
    """The same of a recording that is in memory: float32 (samples, channels) in [-1, 1] at ``rate_hz``.

    Raises:
        BadRecording: the recording cannot be used, or is shorter than the front end needs.
    """
    return _long_enough(one_channel_at(frontend.sample_rate_hz, frontend.channel, samples, rate_hz), frontend)


def _long_enough(samples: Waveform, frontend: Frontend) -> Waveform:
    if len(samples) < frontend.min_samples:
        raise BadRecording(f"too short: {len(samples)} samples, at least {frontend.min_samples} are needed")
    return samples


def features_of_all(paths: Sequence[Path], frontend: Frontend, jobs: int) -> Iterator[Features | BadRecording]:
    """Features (channels, bins, frames) in the order of ``paths``, made by ``jobs`` threads ahead of their reader."""
    for made in features_of_several(paths, [frontend], jobs):
        yield made if isinstance(made, BadRecording) else made[0]


def features_of_several(
    paths: Sequence[Path], frontends: Sequence[Frontend], jobs: int
) -> Iterator[list[Features] | BadRecording]:
    """The same of several front ends that take the same samples, which are decoded once.

    Each thread takes a few recordings from the file to their features, and torch does not split the work further: what
    a recording gives does not depend on the number of threads.
    """
    batches = list(_batches(paths))
    with torch_threads(1):
        if len(batches) == 1:
            yield from _features_of(batches[0], frontends)
            return
        waiting: deque[Future[list[list[Features] | BadRecording]]] = deque()
        pool = pool_of_threads(jobs)
        try:
            for batch in batches:
                waiting.append(pool.submit(_features_of, batch, frontends))
                if len(waiting) > AHEAD * jobs:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _batches(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Recordings that one thread takes at a time: of long ones a single one."""
    batch: list[Path] = []
    size = 0
    for path in paths:
        batch.append(path)
        with suppress(OSError):  # whoever decodes it says so
            size += path.stat().st_size
        if size > BATCH_BYTES or len(batch) == BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _features_of(paths: Sequence[Path], frontends: Sequence[Frontend]) -> list[list[Features] | BadRecording]:
    return [_features_or_reason(path, frontends) for path in paths]


def _features_or_reason(path: Path, frontends: Sequence[Frontend]) -> list[Features] | BadRecording:
    import torch

    try:
        waveform = torch.from_numpy(decode(path, max(frontends, key=lambda one: one.min_samples))[None])
    except BadRecording as reason:
        return reason
    if len(frontends) == 1:
        return [frontends[0](waveform)[0].numpy()]
    return [frontend(waveform.clone())[0].numpy() for frontend in frontends]  # one may change what it is given


class TrainingWaveforms:
    """Waveforms of training clips by key, decoded when asked for. Test clips are not in it."""

    def __init__(self, paths: Mapping[str, Path], frontend: Frontend) -> None:
        self._paths = dict(paths)
        self._frontend = frontend

    def __getitem__(self, key: str) -> Waveform:
        return decode(self._paths[key], self._frontend)

    def __len__(self) -> int:
        return len(self._paths)
