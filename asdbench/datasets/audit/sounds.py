"""Read recordings, whole or their headers alone, by several threads, and report what is wrong with their sound."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from asdbench.core.progress import Progress
from asdbench.datasets.audio import SILENCE, BadRecording, Header, decode, read_header, refuse_unusable
from asdbench.datasets.audit.findings import Finding, Level, Place, counted
from asdbench.datasets.inventory import Inventory

Result = TypeVar("Result")

FULL_SCALE = 32767 / 32768
# Noise and tones above 20 Hz that just reach full scale stay there for one sample; two allow for coincidence.
CLIPPED_RUN = 3
BULK = 0.9  # share of a machine type's recordings that must agree before the others count as strange
LENGTH_STEP_S = 0.01  # lengths that differ by less are the same
Notes = list[tuple[Path, str]]  # files, and what is the matter with each


@dataclass(frozen=True)
class Sound:
    """What one file holds.

    Attributes:
        problem: why it cannot be used; None when it can.
        header: rate, channels and length; None where the file cannot be decoded.
        digest: of the samples, the same for the same sound in a file of another kind.
        clipped: share of samples at full scale, 0 unless at least ``CLIPPED_RUN`` in a row have the same such value.
        dead: channels that hold no sound while others do.
        alike: whether all of several channels are the same.
    """

    problem: str | None
    header: Header | None = None
    digest: str = ""
    clipped: float = 0.0
    dead: tuple[int, ...] = ()
    alike: bool = False


def header_or_reason(path: Path) -> Header | BadRecording:
    """Length and form from the header, or why the recording cannot be used."""
    try:
        return read_header(path)
    except BadRecording as reason:
        return reason


def read_sound(path: Path) -> Sound:
    """Read one file to the end; what is wrong with it is returned, never raised."""
    header = None
    try:
        samples, rate = decode(path)
        header = Header(rate, samples.shape[1], len(samples) / rate)
        refuse_unusable(samples)
    except BadRecording as error:
        return Sound(str(error), header)
    dead = np.flatnonzero(np.ptp(samples, axis=0) < SILENCE)
    return Sound(
        problem=None,
        header=header,
        digest=hashlib.blake2b(samples.tobytes(), digest_size=16, salt=str(rate).encode()).hexdigest(),
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
    with progress.stage(name, len(paths)) as stage, ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            for result in pool.map(work, paths):
                results.append(result)
                stage.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # else an interrupt would wait for all that is queued
            raise
    return results


def sounds(inventory: Inventory, read: Mapping[Path, Sound]) -> Iterator[Finding]:
    """Findings of each machine type, from its files read to the end."""
    for machine, files in inventory.machines.items():
        for kind, level, what, notes in _faults(inventory, {one.path: read[one.path] for one in files.recordings}):
            if notes:
                places = tuple(Place(inventory.relative(path), note) for path, note in notes)
                yield Finding(kind, level, machine, "", f"{counted(len(notes), 'recording')} {what}", places)


def _faults(inventory: Inventory, read: Mapping[Path, Sound]) -> Iterator[tuple[str, Level, str, Notes]]:
    """Kinds of faults of one machine type, with the files that have it."""
    yield "unusable", "error", "that cannot be used", [(p, one.problem) for p, one in read.items() if one.problem]
    clipped = sorted(((path, one.clipped) for path, one in read.items() if one.clipped), key=lambda item: -item[1])
    what = f"of {len(read)} clipped: {CLIPPED_RUN} or more samples in a row at full scale; the worst first"
    yield "clipped", "warning", what, [(path, f"{share:.2%} of its samples at full scale") for path, share in clipped]
    dead = [(path, f"channel {', '.join(map(str, one.dead))}") for path, one in read.items() if one.dead]
    yield "dead-channel", "warning", "with a channel that holds no sound", dead
    alike = [(path, "") for path, one in read.items() if one.alike]
    yield "same-channels", "warning", "whose channels are all the same", alike
    card, expected = inventory.card, inventory.expected
    headers = {path: one.header for path, one in read.items() if one.header and one.header.seconds > 0}
    rates = {path: header.rate_hz for path, header in headers.items()}
    yield "rate", "warning", *_strange(rates, "Hz", card.sample_rate_hz if card else None)
    channels = {path: header.channels for path, header in headers.items()}
    yield "channels", "warning", *_strange(channels, "channels", card.channels if card else None)
    seconds = {path: header.seconds for path, header in headers.items()}
    if expected is not None and expected.clip_s is not None:
        low, high = expected.clip_s
        outside = {p: s for p, s in seconds.items() if not low - LENGTH_STEP_S <= s <= high + LENGTH_STEP_S}
        span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        yield "length", "warning", f"not of {span} s as the card says", [(p, f"{s:.2f} s") for p, s in outside.items()]
        seconds = {path: length for path, length in seconds.items() if path not in outside}
    steps = {path: round(length / LENGTH_STEP_S) for path, length in seconds.items()}
    usual, share = _most_frequent(steps.values())
    strange = [(path, f"{seconds[path]:.2f} s") for path, step in steps.items() if abs(step - usual) > 1]
    what = f"not of {usual * LENGTH_STEP_S:g} s like the rest of the machine type"
    yield "length", "warning", what, strange if share >= BULK else []


def _strange(values: Mapping[Path, int], unit: str, by_card: int | None) -> tuple[str, Notes]:
    """The files whose value is not the card's, or not that of most files."""
    wanted = _most_frequent(values.values())[0] if by_card is None else by_card
    why = "like most of the machine type" if by_card is None else "as the card says"
    notes = [(path, f"{value} {unit}") for path, value in values.items() if value != wanted]
    return f"not of {wanted} {unit} {why}", notes


def _most_frequent(values: Iterable[int]) -> tuple[int, float]:
    """The most frequent value and its share; 0 of nothing."""
    counts = Counter(values)
    value, number = counts.most_common(1)[0] if counts else (0, 0)
    return value, number / max(1, counts.total())
