"""Building blocks of the machine models: rotation, harmonics, shaped noise, impulses, resonances.

All signals are float64 arrays of shape (samples,) at ``RATE_HZ``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

Signal = NDArray[np.float64]
Rng = np.random.Generator
RATE_HZ = 16000
NYQUIST_HZ = RATE_HZ / 2


@dataclass(frozen=True)
class Mode:
    """One resonance of a structure."""

    frequency_hz: float
    damping: float
    gain: float = 1.0


@dataclass(frozen=True)
class Synthesizer:
    """Makes the random signals of one clip, of ``samples`` samples."""

    samples: int
    rng: Rng

    def slow_walk(self, cutoff_hz: float) -> Signal:
        """Smooth signal of zero mean and about unit variance that changes no faster than ``cutoff_hz``."""
        knots = max(4, int(np.ceil(self.samples / RATE_HZ * 2 * cutoff_hz)) + 3)
        values = self.rng.standard_normal(knots)
        return np.interp(np.linspace(0, knots - 1, self.samples), np.arange(knots), values)

    def rotation(self, speed_hz: float, jitter: float) -> Signal:
        """Angle (rad) of a shaft that turns at ``speed_hz`` with a relative speed jitter; starts anywhere."""
        speed = speed_hz * (1.0 + jitter * self.slow_walk(1.5))
        angle: Signal = 2 * np.pi * (self.rng.random() + np.cumsum(speed) / RATE_HZ)
        return angle

    def harmonics(self, angle: Signal, orders: ArrayLike, amplitudes: ArrayLike) -> Signal:
        """Sum of ``amplitude * sin(order * angle + phase)`` at random phases; no order above the Nyquist frequency."""
        speed_hz = (angle[-1] - angle[0]) / (2 * np.pi) * RATE_HZ / len(angle)
        orders = np.asarray(orders, float)
        phases = self.rng.uniform(0, 2 * np.pi, len(orders))
        total = np.zeros_like(angle)
        for order, amplitude, phase in zip(orders, np.asarray(amplitudes, float), phases, strict=True):
            if order * speed_hz < 0.95 * NYQUIST_HZ:
                total += amplitude * np.sin(order * angle + phase)
        return total

    def noise(self, low_hz: float, high_hz: float, slope: float = 0.0) -> Signal:
        """Gaussian noise of unit RMS in a band with soft edges, inside which it falls; slope 1 is 6 dB per octave."""
        length = next_fast_len(self.samples, real=True)
        frequency = np.maximum(rfftfreq(length, 1 / RATE_HZ), 1.0)
        rise = 1 / (1 + (low_hz / frequency) ** 4)
        fall = 1 / (1 + (frequency / high_hz) ** 4)
        white = self.rng.standard_normal((2, len(frequency)))
        amplitude = rise * fall * (frequency / 1000.0) ** (-slope)
        return unit_rms(irfft((white[0] + 1j * white[1]) * amplitude, length)[: self.samples])

    def impulses_at(self, angle: Signal, order: float, slip: float = 0.0, spread: float = 0.1) -> Signal:
        """Impulses, ``order`` for each turn of ``angle``.

        Args:
            angle: rotation (rad).
            order: impulses a turn.
            slip: random shift of each impulse, as a fraction of the period (rolling elements slip by 1 to 2 %).
            spread: relative spread of the heights.
        """
        turns = angle * order / (2 * np.pi)
        count = np.arange(np.ceil(turns[0]), np.floor(turns[-1]) + 1)
        times = np.interp(count + slip * self.rng.standard_normal(len(count)), turns, np.arange(len(angle)))
        return self.impulses(times, 1.0 + spread * self.rng.standard_normal(len(count)))

    def impulses(self, times: Signal, heights: Signal) -> Signal:
        """Impulses at fractional sample positions; those outside the clip are left out."""
        train = np.zeros(self.samples + 1)
        inside = (times >= 0) & (times < self.samples)
        place, heights = times[inside], heights[inside]
        whole = place.astype(int)
        np.add.at(train, whole, heights * (1 - (place - whole)))
        np.add.at(train, whole + 1, heights * (place - whole))
        return train[: self.samples]

    def bursts(self, times: Signal, heights: Signal, rise_s: float, fall_s: float) -> Signal:
        """Envelope of bursts that rise and fall exponentially, each ``height`` high."""
        length = int(min(self.samples, 8 * fall_s * RATE_HZ))
        t = np.arange(length) / RATE_HZ
        shape = (1 - np.exp(-t / rise_s)) * np.exp(-t / fall_s)
        shape /= shape.max()
        envelope = np.zeros(self.samples)
        for time, height in zip(times.astype(int), heights, strict=True):
            if 0 <= time < self.samples:
                end = min(self.samples, time + length)
                envelope[time:end] += height * shape[: end - time]
        return envelope


def resonate(signal: Signal, modes: Sequence[Mode]) -> Signal:
    """Response of a structure with the given modes to a force ``signal`` (filtered in the frequency domain)."""
    length = next_fast_len(len(signal) + RATE_HZ // 4, real=True)
    s = 2j * np.pi * rfftfreq(length, 1 / RATE_HZ)
    response = np.zeros(len(s), complex)
    for mode in modes:
        omega = 2 * np.pi * mode.frequency_hz
        response += mode.gain * 2 * mode.damping * omega * s / (s**2 + 2 * mode.damping * omega * s + omega**2)
    result: Signal = irfft(rfft(signal, length) * response, length)[: len(signal)]
    return result


def unit_rms(signal: Signal) -> Signal:
    """The signal scaled to an RMS of one."""
    rms = float(np.sqrt(np.mean(signal**2)))
    return signal / rms if rms > 0 else signal


def from_db(level_db: float) -> float:
    """Amplitude factor of a level in dB."""
    return float(10 ** (level_db / 20))
