"""What stands between machine and recording: factory noise, the room, and one microphone or two."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from asdbench.datasets.synthetic.signals import RATE_HZ, Mode, Rng, Signal, Synthesizer, from_db, resonate, unit_rms

SOUND_M_S = 343.0
REVERBERATION_S = 0.15  # until reflections have fallen by 60 dB
CRITICAL_M = 3.0  # where they are as loud as the direct sound: 0.057 sqrt(V / T), for 400 m3 with lined walls
MACHINE_M = (0.4, 3.0)  # from the machine to the near microphone and to the far one
NOISE_M = ((2.0, 5.0), (1.5, 4.0))  # from a source of noise to them
SECOND_NOISE_DB = -10.0  # noise comes from two places, so no one filter leads from channel to channel
HEADROOM_DB = -6.0  # below the level of one microphone: dropped parts may be near the far one

Pair = NDArray[np.float64]  # (samples, 2): near, far


def ventilation(synth: Synthesizer) -> Signal:
    """Air handling: broadband noise that falls towards high frequencies, slowly swelling."""
    return synth.noise(60, 5000, slope=0.9) * (1 + 0.15 * synth.slow_walk(0.5))


def workshop(synth: Synthesizer) -> Signal:
    """Hand tools and dropped parts: metallic impacts over a murmur."""
    rng = synth.rng
    count = rng.poisson(2.5 * synth.samples / RATE_HZ)
    hits = synth.impulses(rng.uniform(0, synth.samples, count), rng.lognormal(0, 0.6, count))
    steel = [
        Mode(rng.uniform(900, 1400), 0.01),
        Mode(rng.uniform(2200, 3200), 0.008, 0.8),
        Mode(rng.uniform(4000, 5500), 0.006, 0.5),
    ]
    murmur = synth.noise(120, 3000, slope=0.6)
    return murmur + 0.8 * unit_rms(resonate(hits, steel)) * min(1.0, count / 3)


def conveyor(synth: Synthesizer) -> Signal:
    """A belt nearby: rolling noise, modulated by its rollers, and mains hum."""
    rollers = synth.rotation(synth.rng.uniform(4, 7), 0.01)
    rolling = synth.noise(150, 2500, slope=0.4) * (1 + 0.4 * np.sin(rollers))
    mains = synth.rotation(50.0, 0.0005)
    return rolling + 0.5 * synth.harmonics(mains, (1, 2, 3, 4, 6), (0.5, 1.0, 0.3, 0.5, 0.3))


def compressed_air(synth: Synthesizer) -> Signal:
    """Pneumatics: hisses over a faint broadband floor."""
    rng = synth.rng
    count = rng.poisson(0.8 * synth.samples / RATE_HZ)
    hiss = synth.bursts(rng.uniform(0, synth.samples, count), rng.uniform(0.5, 1.5, count), 0.01, 0.12)
    air = synth.noise(1500, 7000, slope=-0.2)
    return 0.8 * synth.noise(80, 4000, slope=0.7) + 0.7 * hiss * air


NOISES: dict[str, Callable[[Synthesizer], Signal]] = {
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


MICROPHONES: dict[str, Callable[[Signal], Signal]] = {"1": _near_flat, "2": _small_capsule, "3": _behind_cover}


def record(machine: Signal, synth: Synthesizer, noise: str, microphone: str, snr_db: float) -> Signal:
    """The microphone's signal, in [-1, 1]: machine, factory noise ``snr_db`` below it, response, self-noise.

    The machine is brought to a fixed level first, so ``snr_db`` is relative to this clip's machine sound; the gain
    of the recorder varies by about 1 dB from clip to clip.
    """
    background = unit_rms(NOISES[noise](synth)) * from_db(-snr_db)
    signal = _through(microphone, machine + background) + _self_noise(synth)
    return np.clip(signal * _recorder_gain(synth.rng), -1.0, 1.0)


def _through(microphone: str, signal: Signal) -> Signal:
    """What the microphone makes of the sound before it."""
    length = next_fast_len(len(signal), real=True)
    response = MICROPHONES[microphone](np.maximum(rfftfreq(length, 1 / RATE_HZ), 1.0))
    result: Signal = irfft(rfft(signal, length) * response, length)[: len(signal)]
    return result


def _self_noise(synth: Synthesizer) -> Signal:
    """Of a microphone, relative to a machine of unit RMS."""
    return 0.003 * synth.rng.standard_normal(synth.samples)


def _recorder_gain(rng: Rng) -> float:
    """From a machine of unit RMS to its level in the recording."""
    return 0.05 * from_db(rng.normal(0, 1.0))


@dataclass(frozen=True)
class StereoRecording:
    """What two microphones record, (samples, 2) each: of the machine, and of all else."""

    machine: Pair
    rest: Pair

    @property
    def samples(self) -> Pair:
        """Both together, in [-1, 1]."""
        return np.clip(self.machine + self.rest, -1.0, 1.0)


class Room:
    """A room with a machine, noise from elsewhere, and two microphones: one near the machine, one far from it.

    Machine and microphones stand where they stand; the noise comes from elsewhere in each clip.

    Args:
        rng: of the reflections on the way from the machine.
    """

    def __init__(self, rng: Rng) -> None:
        self._responses = [impulse_response(rng, metres) for metres in MACHINE_M]

    def record(
        self, machine: Signal, synth: Synthesizer, noise: str, microphone: str, snr_db: float
    ) -> StereoRecording:
        """Both channels; ``snr_db`` is the machine's level over the noise at the near microphone.

        Microphones are of the kind named, each with a sensitivity and a noise of its own; the gain of the recorder
        is the same for both.
        """
        rng = synth.rng
        sound = _at_both(machine, self._responses)
        background = _elsewhere(synth, noise)
        background += from_db(SECOND_NOISE_DB) * _elsewhere(synth, noise)
        sound /= np.sqrt(np.mean(sound[:, 0] ** 2))
        background *= from_db(-snr_db) / np.sqrt(np.mean(background[:, 0] ** 2))
        gain = from_db(HEADROOM_DB) * _recorder_gain(rng) * np.array([1.0, from_db(rng.normal(0, 1.0))])
        self_noise = np.stack([_self_noise(synth) for _ in range(2)], axis=1)
        machine_, rest = (
            np.stack([_through(microphone, one) for one in pair.T], axis=1) for pair in (sound, background)
        )
        return StereoRecording(gain * machine_, gain * (rest + self_noise))


def impulse_response(rng: Rng, distance_m: float) -> Signal:
    """Of the room: the direct sound, 1 at 1 m, and reflections that are as loud everywhere."""
    arrival = distance_m / SOUND_M_S * RATE_HZ
    after_s = (np.arange(int(arrival + REVERBERATION_S * RATE_HZ)) - arrival) / RATE_HZ
    reflections = rng.standard_normal(len(after_s)) * 10 ** (-3 * after_s / REVERBERATION_S) * (after_s > 0)
    direct = Synthesizer(len(after_s), rng).impulses(np.array([arrival]), np.array([1 / distance_m]))
    response: Signal = direct + reflections / CRITICAL_M / np.sqrt(np.sum(reflections**2))
    return response


def _elsewhere(synth: Synthesizer, noise: str) -> Pair:
    """Noise from one place, of unit RMS at its source."""
    source = unit_rms(NOISES[noise](synth))
    return _at_both(source, [impulse_response(synth.rng, synth.rng.uniform(*metres)) for metres in NOISE_M])


def _at_both(signal: Signal, responses: Sequence[Signal]) -> Pair:
    """The signal behind two impulse responses; wraps around, as if it had gone on before the clip."""
    spectrum = rfft(signal)
    return np.stack([irfft(spectrum * rfft(one, len(signal)), len(signal)) for one in responses], axis=1)
