"""The hall in which all individuals stand: other machines, tools, air; it sounds otherwise each day."""

import numpy as np
from scipy.signal import fftconvolve

from asdbench.datasets.synthetic.recording import NOISES
from asdbench.datasets.synthetic.signals import RATE_HZ, Rng, Signal, Synthesizer, from_db, unit_rms

NEIGHBOURS = 3
REVERBERATION_S = 0.8  # until reflections have fallen by 60 dB
ECHOES, ECHO_S = 3, (0.0008, 0.005)  # of the machine, from floor, wall and neighbours of the microphone


class Hall:
    """One day: which neighbours run, how loud the air is, where the microphone was put.

    Args:
        rng: of the day.
    """

    def __init__(self, rng: Rng) -> None:
        self.neighbours = [
            (rng.uniform(8, 60), rng.lognormal(0, 0.6, 12), rng.uniform(0.3, 2.0)) for _ in range(NEIGHBOURS)
        ]
        self.levels = rng.lognormal(0, 0.6, len(NOISES))
        self.tilt = rng.normal(0, 0.1)
        self.echoes = rng.uniform(*ECHO_S, ECHOES), rng.uniform(-0.25, 0.25, ECHOES)

    def noise(self, synth: Synthesizer) -> Signal:
        """Of unit RMS: neighbours that start and stop, tools, belts and air, all from afar."""
        total = np.zeros(synth.samples)
        for rate_hz, heights, changes_hz in self.neighbours:
            today = heights * synth.rng.lognormal(0, 0.7, len(heights))
            angle = synth.rotation(rate_hz, 0.004)
            runs = np.clip(0.5 + synth.slow_walk(changes_hz), 0, 1.5) * synth.rng.lognormal(-0.7, 1.2)
            total += 0.5 * runs * unit_rms(synth.harmonics(angle, np.arange(1, 13) * 3, today))
        for level, source in zip(self.levels, NOISES.values(), strict=True):
            swell = np.clip(1 + 0.5 * synth.slow_walk(0.7), 0.1, None) * synth.rng.lognormal(-0.7, 1.2)
            total += 0.4 * level * swell * unit_rms(source(synth))
        time = np.arange(round(REVERBERATION_S * RATE_HZ)) / RATE_HZ
        reflections = synth.rng.standard_normal(len(time)) * 10 ** (-3 * time / REVERBERATION_S)
        spread = fftconvolve(total, reflections)[: synth.samples]
        return unit_rms(unit_rms(total) + unit_rms(spread))

    def record(self, machine: Signal, synth: Synthesizer, snr_db: float) -> Signal:
        """The microphone's signal, in [-1, 1]: machine with its echoes, noise ``snr_db`` below it, self-noise."""
        delays, heights = self.echoes
        heard = machine.copy()
        for delay, height in zip(delays, heights, strict=True):
            heard += height * np.roll(machine, round(delay * RATE_HZ * float(synth.rng.uniform(0.95, 1.05))))
        heard = (
            unit_rms(heard) + from_db(-snr_db) * self.noise(synth) + 0.003 * synth.rng.standard_normal(synth.samples)
        )
        spectrum = np.fft.rfft(heard)
        frequency = np.maximum(np.fft.rfftfreq(synth.samples, 1 / RATE_HZ), 50.0)
        heard = np.fft.irfft(spectrum * (frequency / 1000) ** self.tilt, synth.samples)
        gain = 0.05 * from_db(synth.rng.normal(0, 1.5))
        return np.clip(gain * heard, -1.0, 1.0)
