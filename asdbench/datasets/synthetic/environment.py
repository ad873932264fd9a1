"""What stands between machine and recording: factory noise and the microphone."""

from collections.abc import Callable

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from asdbench.datasets.synthetic.signals import (
    RATE_HZ,
    Mode,
    Rng,
    Signal,
    band,
    bursts,
    from_db,
    harmonics,
    impulses,
    resonate,
    rotation,
    shaped_noise,
    slow_walk,
    unit_rms,
)


def ventilation(rng: Rng, samples: int) -> Signal:
    """Air handling: broadband noise that falls towards high frequencies, slowly swelling."""
    flow = shaped_noise(rng, samples, band(60, 5000, slope=0.9))
    return flow * (1 + 0.15 * slow_walk(rng, samples, 0.5))


def workshop(rng: Rng, samples: int) -> Signal:
    """Hand tools and dropped parts: metallic impacts over a murmur."""
    count = rng.poisson(2.5 * samples / RATE_HZ)
    hits = impulses(samples, rng.uniform(0, samples, count), rng.lognormal(0, 0.6, count))
    steel = [
        Mode(rng.uniform(900, 1400), 0.01),
        Mode(rng.uniform(2200, 3200), 0.008, 0.8),
        Mode(rng.uniform(4000, 5500), 0.006, 0.5),
    ]
    murmur = shaped_noise(rng, samples, band(120, 3000, slope=0.6))
    return murmur + 0.8 * unit_rms(resonate(hits, steel)) * min(1.0, count / 3)


def conveyor(rng: Rng, samples: int) -> Signal:
    """A belt nearby: rolling noise, modulated by its rollers, and mains hum."""
    rollers = rotation(rng, samples, rng.uniform(4, 7), 0.01)
    rolling = shaped_noise(rng, samples, band(150, 2500, slope=0.4)) * (1 + 0.4 * np.sin(rollers))
    mains = rotation(rng, samples, 50.0, 0.0005)
    return rolling + 0.5 * harmonics(mains, (1, 2, 3, 4, 6), (0.5, 1.0, 0.3, 0.5, 0.3), rng)


def compressed_air(rng: Rng, samples: int) -> Signal:
    """Pneumatics: hisses over a faint broadband floor."""
    count = rng.poisson(0.8 * samples / RATE_HZ)
    hiss = bursts(samples, rng.uniform(0, samples, count), rng.uniform(0.5, 1.5, count), 0.01, 0.12)
    air = shaped_noise(rng, samples, band(1500, 7000, slope=-0.2))
    return 0.8 * shaped_noise(rng, samples, band(80, 4000, slope=0.7)) + 0.7 * hiss * air


NOISES: dict[str, Callable[[Rng, int], Signal]] = {
    "A": ventilation,
    "B": workshop,
    "C": conveyor,
    "D": compressed_air,
}


def _near_flat(frequency: Signal) -> Signal:
    return 1 / (1 + (40 / frequency) ** 2)


def _small_capsule(frequency: Signal) -> Signal:
    peak = 0.8 * np.exp(-(np.log2(frequency / 3800) ** 2) / 0.25)
    result: Signal = (1 + peak) / (1 + (90 / frequency) ** 2) / np.sqrt(1 + (frequency / 6500) ** 4)
    return result


def _behind_cover(frequency: Signal) -> Signal:
    reflection = np.abs(1 + 0.35 * np.exp(-2j * np.pi * frequency * 0.0011))
    result: Signal = reflection / np.sqrt(1 + (frequency / 3000) ** 2) / (1 + (40 / frequency) ** 2)
    return result


MICROPHONES: dict[str, Callable[[Signal], Signal]] = {
    "1": _near_flat,
    "2": _small_capsule,
    "3": _behind_cover,
}


def record(machine: Signal, rng: Rng, noise: str, microphone: str, snr_db: float) -> Signal:
    """The microphone's signal, in [-1, 1]: machine, factory noise ``snr_db`` below it, response, self-noise.

    The machine is brought to a fixed level first, so ``snr_db`` is relative to this clip's machine sound; the gain
    of the recorder varies by about 1 dB from clip to clip.
    """
    background = unit_rms(NOISES[noise](rng, len(machine))) * from_db(-snr_db)
    heard = through(microphone, machine + background) + self_noise(rng, len(machine))
    return np.clip(heard * recorder_gain(rng), -1.0, 1.0)


def through(microphone: str, signal: Signal) -> Signal:
    """What the microphone makes of the sound before it."""
    length = next_fast_len(len(signal), real=True)
    response = MICROPHONES[microphone](np.maximum(rfftfreq(length, 1 / RATE_HZ), 1.0))
    result: Signal = irfft(rfft(signal, length) * response, length)[: len(signal)]
    return result


def self_noise(rng: Rng, samples: int) -> Signal:
    """Of a microphone, relative to a machine of unit RMS."""
    return 0.003 * rng.standard_normal(samples)


def recorder_gain(rng: Rng) -> float:
    """From a machine of unit RMS to its level in the recording."""
    return 0.05 * from_db(rng.normal(0, 1.0))
