"""High-resolution power spectral density."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from asdbench.core.errors import TrainingError, UsageError
from asdbench.datasets.clips import BlindClip
from asdbench.extractors.base import Context, Embeddings, Untrained

FLOOR = 1e-20  # full scale squared per Hz; far below the last bit of any recording


class Psd(Untrained):
    """Power spectral density of the whole clip in logarithmic bands, in dB. Learns nothing.

    Welch's method (1967): periodic Hann windows that overlap by half, their mean removed. A clip shorter than a
    window is one window of its own length. A band's density is the mean over exactly its width: bins that it cuts
    count in part, so that bands narrower than a bin are not empty.

    Args:
        n_fft: length of the window (samples).
        bands: of equal ratio, from ``f_min_hz`` to half the sample rate.
        f_min_hz: lower edge of the lowest band.
        average: over the windows; "median" overlooks what is loud in fewer than half of them.
        remove_level: take the mean of a clip's bands off it, so that gain does not count.

    Raises:
        UsageError: bands that begin above half the sample rate.
        TrainingError: the front end gives something else than the waveform.
    """

    def __init__(self, *, n_fft: int, bands: int, f_min_hz: float, average: str, remove_level: bool) -> None:
        self._n_fft = n_fft
        self._bands = bands
        self._f_min_hz = f_min_hz
        self._average: Any = average
        self._remove_level = remove_level

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, channels * bands), dB re full scale squared per Hz."""
        return np.stack([self._embed_one(context.features[clip.key], context.frame_rate_hz) for clip in clips])

    def _embed_one(self, features: NDArray[np.floating[Any]], rate_hz: float) -> NDArray[np.float32]:
        if features.shape[1] != 1:
            raise TrainingError(
                "psd makes its own spectra and takes the front end 'waveform'; "
                f"this one gives {features.shape[1]} bins."
            )
        if not self._f_min_hz < rate_hz / 2:
            raise UsageError(
                f"psd.f_min_hz is {self._f_min_hz:g}; it takes a number below half the sample rate ({rate_hz / 2:g}). "
                "See: asdbench show psd"
            )
        samples = np.asarray(features[:, 0], np.float32)
        length = min(self._n_fft, samples.shape[1])
        frequencies, density = welch(samples, rate_hz, nperseg=length, nfft=self._n_fft, average=self._average)
        decibels = 10.0 * np.log10(np.maximum(self._in_bands(frequencies, density.astype(np.float64)), FLOOR))
        if self._remove_level:
            decibels -= decibels.mean()
        return np.asarray(decibels.ravel(), np.float32)

    def _in_bands(self, frequencies: NDArray[np.float64], density: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density (channels, bins) -> mean over each band (channels, bands)."""
        step = frequencies[1]
        edges = np.geomspace(self._f_min_hz, frequencies[-1], self._bands + 1)
        below = np.concatenate([np.zeros((len(density), 1)), np.cumsum(density, axis=1) * step], axis=1)
        bin_edges = np.append(frequencies - step / 2, frequencies[-1] + step / 2)
        power = np.diff([np.interp(edges, bin_edges, one) for one in below], axis=1)
        return np.asarray(power / np.diff(edges))
