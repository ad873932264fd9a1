"""Decode one recording: one channel, one sample rate, float32; refuse what is no usable recording."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.containers import BadRecording, Plain, examine
from asdbench.datasets.far_cancellation import near_minus_far

__all__ = [
    "BadRecording", "Header", "NoSuchChannel", "decode", "one_channel_at", "read_audio", "read_blocks", "read_header",
]  # fmt: skip

Samples = NDArray[np.float32]
Resampler = Callable[[Samples, int, int], Samples]
SILENCE = 2.0**-15  # one step of a 16-bit recording, as peak-to-peak amplitude
SCALE_16 = np.float32(2.0**-15)  # from 16-bit numbers to full scale 1
LOUDEST = 2.0**31  # samples that are no fractions of full scale may be 32-bit numbers; the power of more is infinite
RATES_HZ = (2_000, 768_000)  # of recorders; another one stands in a damaged header
MOST_CHANNELS = 128
MOST_SAMPLES = 2**30  # of all channels together: 18 hours of one channel at 16 kHz
MOST_BYTES = 2**32
BLOCK = 2**18  # samples of all channels that are read at once
# Resampling needs one filter for each output sample until the two rates meet again: numbers in all of them together.
LARGEST_FILTERS = 2**27


class NoSuchChannel(BadRecording):
    """A sound recording that does not have the channel, or the two channels, that were asked for."""


@dataclass(frozen=True)
class Header:
    """Length and form of a recording."""

    rate_hz: int
    channels: int
    seconds: float


def read_header(path: Path) -> Header:
    """Length and form from the header alone; a file whose header does not state the length is read to its end.

    Raises:
        BadRecording: header and file do not agree, or there is no readable one.
    """
    with _reasons():
        with path.open("rb") as file:
            container = examine(file)
        if container.endless:
            samples, rate = decode(path)
            return Header(rate, samples.shape[1], len(samples) / rate)
        if (plain := container.plain) is not None:
            _refuse_form(plain.rate_hz, plain.channels)
            _refuse_long(plain.frames * plain.channels)
            return Header(plain.rate_hz, plain.channels, plain.frames / plain.rate_hz)
        import soundfile

        info = soundfile.info(path)
        _refuse_form(info.samplerate, info.channels)
        _refuse_long(info.frames * info.channels)
        return Header(info.samplerate, info.channels, info.frames / info.samplerate)


def read_audio(path: Path, sample_rate_hz: int, channel: str) -> Samples:
    """Samples of shape (samples,) in [-1, 1] of a .wav or .flac file; the other arguments are ``one_channel_at``'s.

    Raises:
        BadRecording: not audio, truncated, empty, not finite, silent, or (``NoSuchChannel``) without that channel.
    """
    return one_channel_at(sample_rate_hz, channel, *decode(path))


def one_channel_at(
    sample_rate_hz: int, channel: str, samples: Samples, rate_hz: int, resampler: Resampler | None = None
) -> Samples:
    """Samples of shape (samples,) made of those (samples, channels) of a recording at ``rate_hz``.

    Args:
        sample_rate_hz: wanted; another rate is resampled (windowed sinc, torchaudio).
        channel: "mean" of all channels, the number of one ("0"), or "0-1": channel 0 less what channel 1 explains of
            it, where 0 is near the machine and 1 far from it.
        samples: float32, in [-1, 1].
        rate_hz: of ``samples``.
        resampler: makes (samples,) at the second rate of those at the first; torchaudio's where it is None.

    Raises:
        BadRecording: empty, not finite, silent, of a form that no recorder makes, or (``NoSuchChannel``) without that
            channel.
    """
    channels = samples.shape[1]
    _refuse_form(rate_hz, channels)
    if "-" in channel:
        return _near_minus_far(sample_rate_hz, channel, samples, rate_hz, resampler)
    if channel == "mean" and channels > 1:
        mono = np.asarray(samples.mean(axis=1), np.float32)
    else:
        number = 0 if channel == "mean" else int(channel)
        if number >= channels:
            raise NoSuchChannel(f"has {channels} channel(s), no channel {channel}")
        mono = np.ascontiguousarray(samples[:, number])
    refuse_unusable(mono)
    return _resample(mono, rate_hz, sample_rate_hz, resampler)


def decode(path: Path) -> tuple[Samples, int]:
    """All samples, of shape (samples, channels), as they are in the file, and the sample rate (Hz).

    Raises:
        BadRecording: it cannot be read, is not audio, truncated, empty, or of a form that no recorder makes.
    """
    with _reasons():
        if path.stat().st_size > MOST_BYTES:
            raise BadRecording(f"larger than {MOST_BYTES // 2**30} GiB; cut it into clips")
        read = path.read_bytes()
        container = examine(io.BytesIO(read))
        if container.plain is not None:
            return _plain(read, container.start, container.plain), container.plain.rate_hz
        content = bytearray(read)
        del content[: container.start]
        for place, patch in container.patches.items():
            content[place : place + len(patch)] = patch
        blocks, rate = [], 0
        for block, rate in _blocks(io.BytesIO(content)):  # noqa: B007
            blocks.append(block)
        samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        _require_announced(container.frames, len(samples))
        return samples, rate


def _plain(content: bytes, start: int, plain: Plain) -> Samples:
    """Samples (samples, channels) that need no decoder: the same numbers as libsndfile's."""
    _refuse_form(plain.rate_hz, plain.channels)
    count = plain.frames * plain.channels
    _refuse_long(count)
    _refuse_none(count)
    numbers = np.frombuffer(content, "<i2", count, start + plain.place).reshape(-1, plain.channels)
    samples: Samples = np.multiply(numbers, SCALE_16, dtype=np.float32)
    return samples


def read_blocks(path: Path, seconds: float) -> Iterator[tuple[Samples, int]]:
    """The same, block by block, of which memory holds one at a time; the last is shorter.

    Raises:
        BadRecording: as ``decode``, also behind the first blocks.
    """
    with _reasons():
        with path.open("rb") as file:
            container = examine(file)
        if container.endless or container.start or container.patches:  # libsndfile does not read it as it lies there
            samples, rate = decode(path)
            step = max(1, round(seconds * rate))
            for start in range(0, len(samples), step):
                yield samples[start : start + step], rate
            return
        count = 0
        for block, rate in _blocks(path, seconds):
            count += len(block)
            yield block, rate
        _require_announced(container.frames, count)


def _require_announced(announced: int | None, found: int) -> None:
    if announced not in (None, found):
        what = "truncated" if found < announced else "the header is wrong"
        raise BadRecording(f"{what}: it announces {announced} samples, the file holds {found}; copy or encode it again")


@contextmanager
def _reasons() -> Iterator[None]:
    """Turn whatever reading and decoding raise into the reason why a recording cannot be used."""
    try:
        yield
    except BadRecording:
        raise
    except OSError as error:
        raise BadRecording(f"cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise BadRecording("does not fit into memory; cut it into clips") from error
    except Exception as error:  # decoders raise all kinds of errors on damaged files
        reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
        raise BadRecording(
            f"cannot be decoded as audio: {reason}; convert it to 16-bit WAV, or copy it again"
        ) from error


def _blocks(source: io.BytesIO | Path, seconds: float | None = None) -> Iterator[tuple[Samples, int]]:
    """Samples (samples, channels) and rate, in blocks: no number of a header is trusted with an allocation."""
    import soundfile

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        """Seeks neither to measure nor after each block: not every codec can, nor files of unknown length."""

        def seekable(self) -> bool:
            return False

    with Forward(source) as file:
        _refuse_form(file.samplerate, file.channels)
        # The same numbers as libsndfile's own, five times as fast.
        kind, scale = ("int16", SCALE_16) if file.subtype == "PCM_16" else ("float32", None)
        size = BLOCK // file.channels if seconds is None else round(seconds * file.samplerate)
        count = 0
        while len(block := file.read(max(1, size), dtype=kind, always_2d=True)):
            count += block.size
            if seconds is None:
                _refuse_long(count)
            yield (block if scale is None else np.multiply(block, scale, dtype=np.float32)), file.samplerate
        _refuse_none(count)


def _refuse_form(rate_hz: int, channels: int) -> None:
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise BadRecording(
            f"has a sample rate of {rate_hz} Hz; recorders have {RATES_HZ[0]} to {RATES_HZ[1]}: "
            "the header is damaged; copy or record it again"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise BadRecording(f"has {channels} channels; accepted are 1 to {MOST_CHANNELS}")


def _refuse_none(samples: int) -> None:
    if not samples:
        raise BadRecording("holds no samples; record it again or remove it")


def _refuse_long(samples: int) -> None:
    if samples > MOST_SAMPLES:
        raise BadRecording(f"holds more than {MOST_SAMPLES} samples; cut it into clips")


def refuse_unusable(samples: Samples) -> None:
    """Refuse samples of one or several channels that hold no sound.

    Raises:
        BadRecording: no samples, not finite, or silent.
    """
    _refuse_none(samples.size)
    lowest, highest = _extremes(samples)
    if (highest - lowest).max() < SILENCE:
        raise BadRecording("silent: every sample is the same; record it again or remove it")


def _extremes(samples: Samples) -> tuple[Samples, Samples]:
    """Lowest and highest sample of each channel, of recordings whose samples are all numbers that sound can have."""
    lowest, highest = samples.min(axis=0), samples.max(axis=0)  # which a NaN goes through to
    if not (np.isfinite(lowest) & np.isfinite(highest)).all():
        raise BadRecording("holds samples that are not numbers (NaN or infinite); record it again or remove it")
    if max(highest.max(), -lowest.min()) > LOUDEST:
        raise BadRecording(f"holds samples beyond {LOUDEST:.0f} times full scale; record it again or remove it")
    return lowest, highest


def _near_minus_far(
    sample_rate_hz: int, channel: str, samples: Samples, rate_hz: int, resampler: Resampler | None
) -> Samples:
    numbers = [int(number) for number in channel.split("-")]
    if samples.shape[1] <= max(numbers):
        raise NoSuchChannel(f"has {samples.shape[1]} channel(s); {channel} takes two: one near the machine, one far")
    near, far = (np.ascontiguousarray(samples[:, number]) for number in numbers)
    refuse_unusable(near)
    _extremes(far)
    silent = np.ptp(far) < SILENCE
    near, far = (_resample(one, rate_hz, sample_rate_hz, resampler) for one in (near, far))
    if silent:  # there is nothing to take off
        return near
    residual = near_minus_far(near, far, sample_rate_hz)
    if np.ptp(residual) < SILENCE:
        raise NoSuchChannel(f"nothing is left of channel {numbers[0]} less channel {numbers[1]}: both hold the same")
    return residual


def _resample(samples: Samples, rate_hz: int, wanted_hz: int, resampler: Resampler | None) -> Samples:
    if rate_hz == wanted_hz:
        return samples
    common = gcd(rate_hz, wanted_hz)
    if (rate_hz // common) * (wanted_hz // common) > LARGEST_FILTERS:
        raise BadRecording(
            f"its sample rate of {rate_hz} Hz has too little in common with {wanted_hz} Hz; "
            f"resample it first, for example: sox OLD.wav -r {wanted_hz} NEW.wav"
        )
    if resampler is not None:
        return resampler(samples, rate_hz, wanted_hz)
    import torch
    from torchaudio.functional import resample

    result: Samples = resample(torch.from_numpy(samples), rate_hz, wanted_hz).numpy()
    return result
