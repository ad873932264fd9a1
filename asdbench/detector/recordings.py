"""Recordings that a detector is to score: files, folders, arrays, and windows of long ones."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import UsageError
from asdbench.datasets.audio import BadRecording, decode, read_blocks, read_header
from asdbench.datasets.layout import ENDINGS
from asdbench.datasets.own_folder import OTHER_AUDIO

LONGEST_S = 60.0  # that is scored as a whole, however short the healthy clips are
TIMES_LONGER = 4.0  # than the healthy clips


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


@dataclass(frozen=True)
class Recording:
    """A file."""

    file: Path  # where it is
    path: str  # what results call it: as it was given, or below the folder that was given


Given = str | Path | Sound | Recording  # what a recording may be given as


def recordings_of(given: Iterable[str | Path]) -> list[Recording]:
    """Files as they are, of folders every recording below them, of "-" the names that standard input lists.

    Raises:
        UsageError: a folder without recordings, an empty name, or no names on standard input.
    """
    found: list[Recording] = []
    for one in given:
        place = Path(one).expanduser()
        if str(one) == "":
            raise UsageError("An empty name is no recording.")
        if str(one) == "-":
            listed = [os.fsdecode(line.rstrip(b"\r\n")) for line in sys.stdin.buffer if line.strip()]
            if not listed:
                raise UsageError("Standard input names no recordings: one name a line.")
            found += recordings_of(listed)
        elif place.is_dir():
            inside = recordings_below(place)
            if not inside:
                raise UsageError(f"{one}: the folder holds no recordings. Accepted: {' and '.join(ENDINGS)} files.")
            found += inside
        else:
            found.append(Recording(place, str(one)))
    return found


def recordings_below(folder: Path) -> list[Recording]:
    """Every recording below a folder, by path, those of other formats too; hidden files and folders are left out."""
    return [
        Recording(path, str(path.relative_to(folder)))
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (*ENDINGS, *OTHER_AUDIO)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]


def read_whole(file: Path, clip_s: float) -> Sound:
    """A recording that is scored as it is.

    Args:
        file: the recording.
        clip_s: length of the healthy clips, which it must not exceed by far.

    Raises:
        BadRecording: it cannot be used, or is so long that it has to be scored in windows.
    """
    _require_file(file)
    seconds, longest = read_header(file).seconds, max(LONGEST_S, TIMES_LONGER * clip_s)
    if seconds > longest:
        raise BadRecording(f"lasts {seconds:.0f} s, healthy clips {clip_s:g} s; score windows: --window {clip_s:g}")
    samples, rate_hz = decode(file)
    return Sound(samples, rate_hz, str(file))


def read_windows(file: Path, window_s: float, hop_s: float) -> Iterator[tuple[float, Sound]]:
    """Beginning (in seconds) and sound of each window; the last ends with the recording, so that nothing is left out.

    Memory holds one window, however long the recording is. One that is shorter than a window is taken as a whole.

    Raises:
        BadRecording: it cannot be used.
    """
    _require_file(file)
    before = pending = np.empty((0, 1), np.float32)  # the window before; what was read and is not in one yet
    start = 0
    for block, rate_hz in read_blocks(file, hop_s):
        size, hop = round(window_s * rate_hz), max(1, round(hop_s * rate_hz))
        pending = np.concatenate([pending, block]) if len(pending) else block
        while len(pending) >= size:
            before = pending[:size]
            yield start / rate_hz, Sound(before, rate_hz, str(file))
            start, pending = start + hop, pending[hop:]
    if not len(before):
        yield 0.0, Sound(pending, rate_hz, str(file))
    elif len(pending) > size - hop:  # behind the end of the last window
        both = np.concatenate([before[:hop], pending])
        yield (start + len(pending) - size) / rate_hz, Sound(both[-size:], rate_hz, str(file))


def sound_of(samples: Any, sample_rate_hz: float, name: str = "") -> Sound:
    """An array as a recording, float32 (samples, channels). Raises BadRecording: it is none."""
    try:
        samples = np.asarray(samples)
    except ValueError as error:
        raise BadRecording("holds rows of unequal length") from error
    if samples.dtype.kind != "f":
        raise BadRecording(f"holds {samples.dtype}; accepted are floating-point samples in [-1, 1]")
    if samples.ndim not in (1, 2):
        raise BadRecording(f"has the shape {samples.shape}; accepted are (samples,) and (samples, channels)")
    if samples.size == 0:
        raise BadRecording("holds no samples")
    if not (np.isfinite(sample_rate_hz) and sample_rate_hz > 0 and sample_rate_hz == int(sample_rate_hz)):
        raise BadRecording(f"has a sample rate of {sample_rate_hz:g} Hz; accepted is a whole number above 0")
    return Sound(np.ascontiguousarray(samples.reshape(len(samples), -1), np.float32), int(sample_rate_hz), name)


def _require_file(file: Path) -> None:
    if not file.is_file():
        raise BadRecording("is a folder, not a recording" if file.is_dir() else "there is no such file")
