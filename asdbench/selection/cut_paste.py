"""Pseudo-anomalous recordings, made of normal ones."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import istft, stft

Waveform = NDArray[np.float32]

AREA = (0.02, 0.15)  # of the time-frequency plane, and sides of the patch: those of the paper
ASPECT = 1 / 0.3  # of the longer side to the shorter, at most
GAIN_DB = (-6.0, 6.0)  # level of the patch against what it replaces
WINDOW = 1024
SILENCE = 1e-30  # power that a silent patch counts as


def cut_paste(waveform: Waveform, donor: Waveform, generator: np.random.Generator) -> Waveform:
    """A recording with a patch of another one's spectrogram in it, from another time and frequency.

    CutPaste (Li et al., 2021) in the short-time Fourier transform: normal sound in the wrong place. The patch is
    brought to the mean power of what it replaces, but for a few decibels: otherwise a patch from low frequencies,
    where machines are loud, could be heard by any detector.

    Args:
        waveform: samples of a normal clip.
        donor: samples of another one; its length may differ.
        generator: draws size, places and gain.

    Returns:
        float32, as long as ``waveform``.
    """
    host, other = _spectrum(waveform), _spectrum(donor)
    aspect = ASPECT ** float(generator.uniform(-1.0, 1.0))
    area = float(generator.uniform(*AREA))
    bins = _length((area * aspect) ** 0.5, host.shape[0], other.shape[0])
    frames = _length((area / aspect) ** 0.5, host.shape[1], other.shape[1])
    patch = other[_somewhere(bins, other.shape[0], generator), _somewhere(frames, other.shape[1], generator)]
    place = _somewhere(bins, host.shape[0], generator), _somewhere(frames, host.shape[1], generator)
    gain = 10.0 ** (float(generator.uniform(*GAIN_DB)) / 20.0)
    host[place] = patch * gain * (_power(host[place]) / max(_power(patch), SILENCE)) ** 0.5
    samples = istft(host, nperseg=WINDOW)[1][: len(waveform)]
    return np.asarray(np.pad(samples, (0, len(waveform) - len(samples))), np.float32)


def _spectrum(waveform: Waveform) -> NDArray[np.complex64]:
    """(bins, frames)."""
    padded = np.pad(np.asarray(waveform, np.float32), (0, max(0, WINDOW - len(waveform))))
    return np.asarray(stft(padded, nperseg=WINDOW)[2], np.complex64)


def _power(part: NDArray[np.complex64]) -> float:
    return float(np.mean(np.abs(part) ** 2))


def _length(fraction: float, *available: int) -> int:
    return int(np.clip(round(fraction * available[0]), 1, min(available)))


def _somewhere(length: int, available: int, generator: np.random.Generator) -> slice:
    start = int(generator.integers(0, available - length + 1))
    return slice(start, start + length)
