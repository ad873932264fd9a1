"""Take off the near microphone what the far one hears too: one complex gain for each frequency of a clip."""

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 0.128  # 2048 samples at 16 kHz, as in log-mel; most of a filter between the microphones lies within it
HOPS = 4  # in a window

Samples = NDArray[np.float32]
Spectrum = NDArray[np.complex64]


def near_minus_far(near: Samples, far: Samples, rate_hz: int) -> Samples:
    """The residual of the near channel as a waveform: what no linear filter of the far channel explains.

    Least squares over the clip for each bin f of the short-time spectra N and F, and the inverse transform:
    ``g(f) = sum_t N(f, t) conj(F(f, t)) / sum_t |F(f, t)|^2``, residual ``N - g F``.
    Where the far channel has nothing, the near one stays as it is.

    Args:
        near: (samples,).
        far: (samples,), taken at the same time.
        rate_hz: of both.
    """
    hop = hop_at(rate_hz)
    near_spectrum, far_spectrum = short_time_spectrum(near, hop), short_time_spectrum(far, hop)
    far_spectrum *= least_squares_gain(near_spectrum, far_spectrum)
    near_spectrum -= far_spectrum
    return waveform_of(near_spectrum, hop, len(near))


def hop_at(rate_hz: int) -> int:
    """Samples from a window to the next, so many that their transforms are fast: 512 at 16 kHz."""
    from scipy.fft import next_fast_len

    return int(next_fast_len(round(WINDOW_S * rate_hz / HOPS), real=True))


def least_squares_gain(near: Spectrum, far: Spectrum) -> Spectrum:
    """The gains g, of shape (bins,), with which ``g * far`` comes nearest to ``near``, both (frames, bins)."""
    common = np.einsum("tf,tf->f", near, far.conj(), dtype=np.complex128)
    power = np.einsum("tf,tf->f", far, far.conj(), dtype=np.complex128).real
    gain = np.divide(common, power, out=np.zeros_like(common), where=power > 0)
    result: Spectrum = gain.astype(np.complex64)
    return result


def short_time_spectrum(samples: Samples, hop: int) -> Spectrum:
    """Spectra (frames, bins) by Hann windows of four hops; a window's length of zeros stands before and after."""
    from scipy.fft import rfft

    window = HOPS * hop
    padded = np.pad(samples, (window, window + -len(samples) % hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    spectrum: Spectrum = rfft(frames * _hann(window), axis=-1)
    return spectrum


def waveform_of(spectrum: Spectrum, hop: int, samples: int) -> Samples:
    """The waveform (samples,) whose short-time spectrum comes nearest to the one given (Griffin and Lim, 1984)."""
    from scipy.fft import irfft

    window = HOPS * hop
    pieces = (irfft(spectrum, window, axis=-1) * _hann(window)).reshape(len(spectrum), HOPS, hop)
    total = np.zeros((len(spectrum) + HOPS - 1, hop), np.float32)
    for part in range(HOPS):
        total[part : part + len(spectrum)] += pieces[:, part]
    return total.ravel()[window : window + samples] / np.float32(1.5)  # what four squared Hann windows add up to


def _hann(window: int) -> Samples:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
