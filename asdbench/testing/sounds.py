"""Tiny data in memory: clips of two made machines, with anomalies that nobody can miss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import digest
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.frontends.decoding import TrainingWaveforms

MACHINES = {"fan": 110.0, "pump": 170.0}  # hum, Hz
TRAINING, NORMAL, ANOMALOUS = 12, 8, 4  # clips of each machine

Waveform = NDArray[np.float32]


class MadeWaveforms(TrainingWaveforms):
    """Waveforms in memory by clip key."""

    def __init__(self, waveforms: Mapping[str, Waveform]) -> None:
        super().__init__({}, None)  # type: ignore[arg-type]  # nothing is decoded
        self._waveforms = dict(waveforms)

    def __getitem__(self, key: str) -> Waveform:
        return self._waveforms[key].copy()

    def __len__(self) -> int:
        return len(self._waveforms)


@dataclass(frozen=True)
class Sounds:
    """Clips and their waveforms by key.

    Attributes:
        waveforms: float32 (samples,) in [-1, 1], read-only, of equal length.
        training: normal ones; of two domains, with an attribute.
        normal: test clips.
        anomalous: test clips.
    """

    waveforms: Mapping[str, Waveform]
    training: Sequence[TrainingClip]
    normal: Sequence[BlindClip]
    anomalous: Sequence[BlindClip]


def make_sounds(sample_rate_hz: int, samples: int, machines: Sequence[str] = tuple(MACHINES)) -> Sounds:
    """Clips of humming machines; anomalous ones whistle and click, and hardly hum.

    Args:
        sample_rate_hz: of the waveforms.
        samples: of each.
        machines: some of MACHINES.
    """
    waveforms: dict[str, Waveform] = {}
    training: list[TrainingClip] = []
    tests: dict[bool, list[BlindClip]] = {False: [], True: []}
    for machine in machines:
        for number in range(TRAINING + NORMAL + ANOMALOUS):
            anomalous = number >= TRAINING + NORMAL
            key = digest([machine, number])
            rng = np.random.default_rng(int(key, 16))
            slow = number % 3 == 2  # of the target domain
            hz = MACHINES[machine] * (1.0 if slow else 1.1)
            waveforms[key] = _waveform(hz, sample_rate_hz, samples, anomalous, rng)
            waveforms[key].setflags(write=False)  # as clips of a run are
            if number < TRAINING:
                speed = (("speed", "low" if slow else "high"),)
                training.append(TrainingClip(key, machine, "00", "target" if slow else "source", speed))
            else:
                tests[anomalous].append(BlindClip(key, machine, "00"))
    return Sounds(
        waveforms,
        sorted(training, key=lambda clip: clip.key),
        sorted(tests[False], key=lambda clip: clip.key),
        sorted(tests[True], key=lambda clip: clip.key),
    )


def _waveform(hz: float, rate_hz: int, samples: int, anomalous: bool, rng: np.random.Generator) -> Waveform:
    seconds = np.arange(samples) / rate_hz
    sound = 0.01 * rng.normal(size=samples)
    for harmonic in range(1, 7):
        sound += 0.05 / harmonic * np.sin(2 * np.pi * (hz * harmonic * seconds + rng.random()))
    if anomalous:
        sound *= 0.1
        sound += 0.2 * np.sin(2 * np.pi * (0.17 * rate_hz * seconds + rng.random()))
        sound += 0.3 * rng.normal(size=samples) * ((seconds * 8.0 + rng.random()) % 1.0 < 0.2)
    return np.clip(sound, -1.0, 1.0).astype(np.float32)
