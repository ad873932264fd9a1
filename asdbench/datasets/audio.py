"""Decode one recording: one channel, one sample rate, float32; refuse what is no usable recording."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.far_cancellation import near_minus_far

if TYPE_CHECKING:
    import soundfile

SILENCE = 2.0**-15  # one step of a 16-bit recording, as peak-to-peak amplitude


class BadRecording(ValueError):  # noqa: N818  # it describes the recording
    """Why a recording cannot be used."""


class NoSuchChannel(BadRecording):
    """A sound recording that does not have the channel, or the two channels, that were asked for."""


def channel_count(path: Path) -> int | None:
    """Channels of a recording, from its header; None when it has none that can be read."""
    import soundfile

    try:
        return int(soundfile.info(path).channels)
    except (soundfile.LibsndfileError, OSError):
        return None


def read_audio(path: Path, sample_rate_hz: int, channel: str) -> NDArray[np.float32]:
    """Samples of shape (samples,) in [-1, 1].

    Args:
        path: .wav or .flac file.
        sample_rate_hz: recordings at another rate are resampled to it (windowed sinc, torchaudio).
        channel: as for ``one_channel_at``.

    Raises:
        BadRecording: not audio, truncated, empty, not finite, silent, or (``NoSuchChannel``) without that channel.
    """
    samples, rate = decode(path)
    return one_channel_at(sample_rate_hz, channel, samples, rate)


def one_channel_at(
    sample_rate_hz: int, channel: str, samples: NDArray[np.float32], rate_hz: int
) -> NDArray[np.float32]:
    """Samples of shape (samples,) made of those (samples, channels) of a recording at ``rate_hz``.

    Args:
        sample_rate_hz: wanted; another rate is resampled (windowed sinc, torchaudio).
        channel: "mean" of all channels, the number of one ("0"), or "0-1": channel 0 less what channel 1 explains of
            it, where 0 is near the machine and 1 far from it.
        samples: float32, in [-1, 1].
        rate_hz: of ``samples``.

    Raises:
        BadRecording: empty, not finite, silent, or (``NoSuchChannel``) without that channel.
    """
    if "-" in channel:
        return _near_minus_far(sample_rate_hz, channel, samples, rate_hz)
    mono = _one_channel(samples, channel)
    refuse_unusable(mono)
    return mono if rate_hz == sample_rate_hz else _resample(mono, rate_hz, sample_rate_hz)


def decode(path: Path) -> tuple[NDArray[np.float32], int]:
    """All samples, of shape (samples, channels), as they are in the file, and the sample rate (Hz).

    Raises:
        BadRecording: not audio, truncated or empty.
    """
    import soundfile

    if path.stat().st_size == 0:
        raise BadRecording("the file is empty (zero bytes)")
    try:
        with soundfile.SoundFile(path) as file:
            _refuse_truncated(file)
            samples = _read_samples(file)
            if len(samples) != file.frames:
                raise BadRecording(f"truncated: {len(samples)} of {file.frames} samples")
            return samples, file.samplerate
    except soundfile.LibsndfileError as error:
        raise BadRecording(f"cannot be decoded as audio: {error.error_string}") from error


def refuse_unusable(samples: NDArray[np.float32]) -> None:
    """Refuse samples of one or several channels that hold no sound.

    Raises:
        BadRecording: no samples, not finite, or silent.
    """
    if samples.size == 0:
        raise BadRecording("holds no samples")
    lowest, highest = samples.min(axis=0), samples.max(axis=0)  # which a NaN goes through to
    if not (np.isfinite(lowest) & np.isfinite(highest)).all():
        raise BadRecording("holds samples that are not numbers (NaN or infinite)")
    if (highest - lowest).max() < SILENCE:
        raise BadRecording("silent: every sample is the same")


def _read_samples(file: "soundfile.SoundFile") -> NDArray[np.float32]:
    samples: NDArray[np.float32]
    if file.subtype == "PCM_16":  # the same numbers as libsndfile's own, five times as fast
        samples = np.multiply(file.read(dtype="int16", always_2d=True), np.float32(2.0**-15), dtype=np.float32)
    else:
        samples = file.read(dtype="float32", always_2d=True)
    return samples


def _refuse_truncated(file: "soundfile.SoundFile") -> None:
    # libsndfile shortens a cut-off WAV to what is there and says so only in its log.
    data = [line for line in file.extra_info.splitlines() if line.startswith("data ")]
    if any("should be" in line for line in data):
        raise BadRecording(f"truncated: the header announces more data than the file holds ({data[0].strip()})")


def _one_channel(samples: NDArray[np.float32], channel: str) -> NDArray[np.float32]:
    if samples.shape[1] == 1 and channel in ("mean", "0"):
        return samples[:, 0]  # the mean of one channel, without the time that takes
    if channel == "mean":
        return np.asarray(samples.mean(axis=1), np.float32)
    if int(channel) >= samples.shape[1]:
        raise NoSuchChannel(f"has {samples.shape[1]} channel(s), no channel {channel}")
    return np.ascontiguousarray(samples[:, int(channel)])


def _near_minus_far(
    sample_rate_hz: int, channel: str, samples: NDArray[np.float32], rate_hz: int
) -> NDArray[np.float32]:
    numbers = [int(number) for number in channel.split("-")]
    if samples.shape[1] <= max(numbers):
        raise NoSuchChannel(f"has {samples.shape[1]} channel(s); {channel} takes two: one near the machine, one far")
    near, far = (np.ascontiguousarray(samples[:, number]) for number in numbers)
    refuse_unusable(near)
    if not np.isfinite(far).all():
        raise BadRecording("holds samples that are not numbers (NaN or infinite)")
    silent = np.ptp(far) < SILENCE
    if rate_hz != sample_rate_hz:
        near, far = (_resample(one, rate_hz, sample_rate_hz) for one in (near, far))
    if silent:  # there is nothing to take off
        return near
    residual = near_minus_far(near, far, sample_rate_hz)
    if np.ptp(residual) < SILENCE:
        raise NoSuchChannel(f"nothing is left of channel {numbers[0]} less channel {numbers[1]}: both hold the same")
    return residual


def _resample(samples: NDArray[np.float32], rate_hz: int, wanted_hz: int) -> NDArray[np.float32]:
    import torch
    from torchaudio.functional import resample

    result: NDArray[np.float32] = resample(torch.from_numpy(samples), rate_hz, wanted_hz).numpy()
    return result
