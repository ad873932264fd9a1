"""Read recordings, whole or their headers alone, by several threads."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from asdbench.core.progress import Progress
from asdbench.datasets.audio import SILENCE, BadRecording, Header, decode, read_header, refuse_unusable

Result = TypeVar("Result")

FULL_SCALE = 32767 / 32768
# Noise and tones above 20 Hz that just reach full scale stay there for one sample; two allow for coincidence.
CLIPPED_RUN = 3
AT_ONCE = 8  # recordings that a thread takes: a header is read sooner than a task is handed over


@dataclass(frozen=True)
class Heard:
    """What one file holds.

    Attributes:
        problem: why it cannot be used; None when it can.
        header: rate, channels and length; None where the file cannot be decoded.
        content: digest of the samples, the same for the same sound in a file of another kind.
        clipped: share of samples at full scale, 0 unless at least ``CLIPPED_RUN`` in a row have the same such value.
        dead: channels that hold no sound while others do.
        alike: whether all of several channels are the same.
    """

    problem: str | None
    header: Header | None = None
    content: str = ""
    clipped: float = 0.0
    dead: tuple[int, ...] = ()
    alike: bool = False


def header_or_reason(path: Path) -> Header | BadRecording:
    """Length and form from the header, or why the recording cannot be used."""
    try:
        return read_header(path)
    except BadRecording as reason:
        return reason


def listen(path: Path) -> Heard:
    """Read one file to the end; what is wrong with it is said, never raised."""
    try:
        samples, rate = decode(path)
        header = Header(rate, samples.shape[1], len(samples) / rate)
        try:
            refuse_unusable(samples)
        except BadRecording as error:
            return Heard(str(error), header)
    except BadRecording as error:
        return Heard(str(error))
    dead = np.flatnonzero(np.ptp(samples, axis=0) < SILENCE)
    return Heard(
        problem=None,
        header=header,
        content=hashlib.blake2b(samples.tobytes(), digest_size=16, salt=str(rate).encode()).hexdigest(),
        clipped=clipped_share(samples),
        dead=tuple(map(int, dead)),
        alike=samples.shape[1] > 1 and bool((samples == samples[:, :1]).all()),
    )


def clipped_share(samples: NDArray[np.float32]) -> float:
    """Share of samples, of shape (samples, channels), at full scale; 0 where no ``CLIPPED_RUN`` in a row are equal."""
    full = np.abs(samples) >= FULL_SCALE
    if full.sum() < CLIPPED_RUN or len(samples) < CLIPPED_RUN:
        return 0.0
    flat = full[1:] & (samples[1:] == samples[:-1])  # equal to the one before, at full scale
    runs = flat[1:] & flat[:-1]
    return float(full.mean()) if runs.any() else 0.0


def for_each(
    work: Callable[[Path], Result], paths: Sequence[Path], jobs: int, progress: Progress, name: str
) -> list[Result]:
    """Results of ``work`` in the order of ``paths``."""
    results: list[Result] = []
    groups = [paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE)]
    with progress.stage(name, len(paths)) as stage, ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            for group in pool.map(lambda group: [work(path) for path in group], groups):
                for result in group:
                    results.append(result)
                    stage.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # else an interrupt would wait for all that is queued
            raise
    return results
