"""Read recordings, whole or their headers alone, by several threads, and say what is wrong with them."""

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
from asdbench.datasets.audit.holdings import Holdings

Result = TypeVar("Result")

FULL_SCALE = 32767 / 32768
# Noise and tones above 20 Hz that just reach full scale stay there for one sample; two allow for coincidence.
CLIPPED_RUN = 3
AT_ONCE = 8  # recordings that a thread takes: a header is read sooner than a task is handed over
BULK = 0.9  # share of a machine type's recordings that must agree before the others count as strange
LENGTH_STEP_S = 0.01  # lengths that differ by less are the same
Files = list[tuple[Path, str]]


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


def sounds(holdings: Holdings, heard: Mapping[Path, Heard]) -> Iterator[Finding]:
    """Findings of each machine type, from its files read to the end."""
    for machine, part in holdings.parts.items():
        own = {one.path: heard[one.path] for one in part.recordings}

        def finding(kind: str, level: Level, what: str, files: Files, machine: str = machine) -> Finding:
            places = tuple(Place(holdings.relative(path), note) for path, note in files)
            return Finding(kind, level, machine, "", f"{counted(len(files), 'recording')} {what}", places)

        unusable = [(path, one.problem) for path, one in own.items() if one.problem]
        if unusable:
            yield finding("unusable", "error", "that cannot be used", unusable)
        clipped = sorted(((path, one.clipped) for path, one in own.items() if one.clipped), key=lambda item: -item[1])
        if clipped:
            files = [(path, f"{share:.2%} of its samples at full scale") for path, share in clipped]
            what = f"of {len(own)} clipped: {CLIPPED_RUN} or more samples in a row at full scale; the worst first"
            yield finding("clipped", "warning", what, files)
        dead = [(path, f"channel {', '.join(map(str, one.dead))}") for path, one in own.items() if one.dead]
        if dead:
            yield finding("dead-channel", "warning", "with a channel that holds no sound", dead)
        alike = [(path, "") for path, one in own.items() if one.alike]
        if alike:
            yield finding("same-channels", "warning", "whose channels are all the same", alike)
        headers = {path: one.header for path, one in own.items() if one.header and one.header.seconds > 0}
        for kind, what, files in _forms(holdings, headers):
            yield finding(kind, "warning", what, files)


def _forms(holdings: Holdings, headers: Mapping[Path, Header]) -> Iterator[tuple[str, str, Files]]:
    card = holdings.card
    clip_s = holdings.expected.clip_s if holdings.expected else None
    yield from _strange(headers, "rate", "Hz", lambda one: one.rate_hz, card.sample_rate_hz if card else None)
    yield from _strange(headers, "channels", "channels", lambda one: one.channels, card.channels if card else None)
    if clip_s is not None:
        low, high = clip_s[0] - LENGTH_STEP_S, clip_s[1] + LENGTH_STEP_S
        outside = [(p, f"{h.seconds:.2f} s") for p, h in headers.items() if not low <= h.seconds <= high]
        if outside:
            span = f"{clip_s[0]:g}" if clip_s[0] == clip_s[1] else f"{clip_s[0]:g} to {clip_s[1]:g}"
            yield "length", f"not of {span} s as the card says", outside
            headers = {path: one for path, one in headers.items() if low <= one.seconds <= high}
    steps = {path: round(one.seconds / LENGTH_STEP_S) for path, one in headers.items()}
    usual, share = _bulk(steps.values())
    strange = [(path, f"{headers[path].seconds:.2f} s") for path, step in steps.items() if abs(step - usual) > 1]
    if strange and share >= BULK:
        yield "length", f"not of {usual * LENGTH_STEP_S:g} s like the rest of the machine type", strange


def _strange(
    headers: Mapping[Path, Header], kind: str, unit: str, of: Callable[[Header], int], by_card: int | None
) -> Iterator[tuple[str, str, Files]]:
    values = {path: of(header) for path, header in headers.items()}
    wanted, _ = (by_card, 1.0) if by_card is not None else _bulk(values.values())
    files = [(path, f"{value} {unit}") for path, value in values.items() if value != wanted]
    if files:
        by_whom = "as the card says" if by_card is not None else "like most of the machine type"
        yield kind, f"not of {wanted} {unit} {by_whom}", files


def _bulk(values: Iterable[int]) -> tuple[int, float]:
    """The most frequent value and its share; 0 of nothing."""
    counts = Counter(values)
    if not counts:
        return 0, 0.0
    value, number = counts.most_common(1)[0]
    return value, number / counts.total()
