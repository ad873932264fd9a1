"""A hall with a machine, noise from elsewhere, and two microphones: one near the machine, one far from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from asdbench.datasets.synthetic.environment import NOISES, recorder_gain, self_noise, through
from asdbench.datasets.synthetic.signals import RATE_HZ, Rng, Signal, from_db, impulses, unit_rms

SOUND_M_S = 343.0
REVERBERATION_S = 0.15  # until reflections have fallen by 60 dB
CRITICAL_M = 3.0  # where they are as loud as the direct sound: 0.057 sqrt(V / T), for 400 m3 with lined walls
MACHINE_M = (0.4, 3.0)  # from the machine to the near microphone and to the far one
NOISE_M = ((2.0, 5.0), (1.5, 4.0))  # from a source of noise to them
SECOND_NOISE_DB = -10.0  # noise comes from two places, so no one filter leads from channel to channel
HEADROOM_DB = -6.0  # below the level of one microphone: dropped parts may be near the far one

Pair = NDArray[np.float64]  # (samples, 2): near, far


@dataclass(frozen=True)
class Heard:
    """What two microphones hear, (samples, 2) each: the machine, and all else."""

    machine: Pair
    rest: Pair

    @property
    def recording(self) -> Pair:
        """Both together, in [-1, 1]."""
        return np.clip(self.machine + self.rest, -1.0, 1.0)


class Hall:
    """Machine and microphones stand where they stand; the noise comes from elsewhere in each clip.

    Args:
        rng: of the reflections on the way from the machine.
    """

    def __init__(self, rng: Rng) -> None:
        self._ways = [way(rng, metres) for metres in MACHINE_M]

    def record(self, machine: Signal, rng: Rng, noise: str, microphone: str, snr_db: float) -> Heard:
        """Both channels; ``snr_db`` is the machine's level over the noise at the near microphone.

        Microphones are of the kind named, each with a sensitivity and a noise of its own; the gain of the recorder
        is the same for both.
        """
        sound = _at_both(machine, self._ways)
        background = _elsewhere(rng, noise, len(machine))
        background += from_db(SECOND_NOISE_DB) * _elsewhere(rng, noise, len(machine))
        sound /= np.sqrt(np.mean(sound[:, 0] ** 2))
        background *= from_db(-snr_db) / np.sqrt(np.mean(background[:, 0] ** 2))
        gain = from_db(HEADROOM_DB) * recorder_gain(rng) * np.array([1.0, from_db(rng.normal(0, 1.0))])
        own = np.stack([self_noise(rng, len(machine)) for _ in range(2)], axis=1)
        heard, noises = (np.stack([through(microphone, one) for one in pair.T], axis=1) for pair in (sound, background))
        return Heard(gain * heard, gain * (noises + own))


def way(rng: Rng, distance_m: float) -> Signal:
    """Impulse response of the hall: the direct sound, 1 at 1 m, and reflections that are as loud everywhere."""
    arrival = distance_m / SOUND_M_S * RATE_HZ
    after_s = (np.arange(int(arrival + REVERBERATION_S * RATE_HZ)) - arrival) / RATE_HZ
    reflections = rng.standard_normal(len(after_s)) * 10 ** (-3 * after_s / REVERBERATION_S) * (after_s > 0)
    direct = impulses(len(after_s), np.array([arrival]), np.array([1 / distance_m]))
    response: Signal = direct + reflections / CRITICAL_M / np.sqrt(np.sum(reflections**2))
    return response


def _elsewhere(rng: Rng, noise: str, samples: int) -> Pair:
    """Noise from one place, of unit RMS at its source."""
    source = unit_rms(NOISES[noise](rng, samples))
    return _at_both(source, [way(rng, rng.uniform(*metres)) for metres in NOISE_M])


def _at_both(signal: Signal, ways: Sequence[Signal]) -> Pair:
    """The signal at the ends of two ways; wraps around, as if it had gone on before the clip."""
    spectrum = rfft(signal)
    return np.stack([irfft(spectrum * rfft(one, len(signal)), len(signal)) for one in ways], axis=1)
