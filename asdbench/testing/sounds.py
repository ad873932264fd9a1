"""Tiny data in memory, with anomalies that nobody can miss: clips of two machines, and embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import digest
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.frontends.decoding import TrainingWaveforms

MACHINES = {"fan": 110.0, "pump": 170.0}  # hum, Hz
TRAINING, NORMAL, ANOMALOUS = 12, 8, 4  # clips of each machine
DIM = 8  # of embeddings

Array = NDArray[np.float32]


class MadeWaveforms(TrainingWaveforms):
    """Waveforms in memory by clip key."""

    def __init__(self, waveforms: Mapping[str, Array]) -> None:
        super().__init__({}, None)  # type: ignore[arg-type]  # nothing is decoded
        self._waveforms = dict(waveforms)

    def __getitem__(self, key: str) -> Array:
        return self._waveforms[key].copy()

    def __len__(self) -> int:
        return len(self._waveforms)


@dataclass(frozen=True)
class Sounds:
    """Clips and their waveforms by key."""

    waveforms: Mapping[str, Array]  # float32 (samples,) in [-1, 1], read-only, of equal length
    training: Sequence[TrainingClip]  # normal ones; of two domains, with an attribute
    normal: Sequence[BlindClip]  # test clips
    anomalous: Sequence[BlindClip]  # test clips


@lru_cache(maxsize=4)  # tests of many components ask for the same
def make_sounds(sample_rate_hz: int, samples: int, machines: tuple[str, ...] = tuple(MACHINES)) -> Sounds:
    """Clips of humming machines (some of MACHINES); anomalous ones whistle and click, and hardly hum."""
    waveforms: dict[str, Array] = {}
    training: list[TrainingClip] = []
    tests: dict[bool, list[BlindClip]] = {False: [], True: []}
    for machine in machines:
        for number in range(TRAINING + NORMAL + ANOMALOUS):
            anomalous = number >= TRAINING + NORMAL
            key = digest([machine, number])
            slow = number % 3 == 2  # of the target domain
            hz = MACHINES[machine] * (1.0 if slow else 1.1)
            waveforms[key] = _waveform(hz, sample_rate_hz, samples, anomalous, np.random.default_rng(int(key, 16)))
            waveforms[key].setflags(write=False)  # as clips of a run are
            if number < TRAINING:
                speed = (("speed", "low" if slow else "high"),)
                training.append(TrainingClip(key, machine, "00", "target" if slow else "source", speed))
            else:
                tests[anomalous].append(BlindClip(key, machine, "00"))
    normal, anomalies = (sorted(tests[kind], key=lambda clip: clip.key) for kind in (False, True))
    return Sounds(waveforms, sorted(training, key=lambda clip: clip.key), normal, anomalies)


def _waveform(hz: float, rate_hz: int, samples: int, anomalous: bool, rng: np.random.Generator) -> Array:
    seconds = np.arange(samples) / rate_hz
    sound = 0.01 * rng.normal(size=samples)
    for harmonic in range(1, 7):
        sound += 0.05 / harmonic * np.sin(2 * np.pi * (hz * harmonic * seconds + rng.random()))
    if anomalous:
        sound *= 0.1
        sound += 0.2 * np.sin(2 * np.pi * (0.17 * rate_hz * seconds + rng.random()))
        sound += 0.3 * rng.normal(size=samples) * ((seconds * 8.0 + rng.random()) % 1.0 < 0.2)
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


def make_embeddings(dim: int = DIM) -> tuple[Array, list[TrainingClip], Array, Array]:
    """Training embeddings (n, dim) with their clips, normal ones, and anomalous ones; ``dim`` is DIM or 1.

    Normal rows lie about a centre along a few directions; anomalous ones lie far off along one of these and at right
    angles to all of them, and are larger in each column: distances, angles and columns all tell them apart.
    """
    rng = np.random.default_rng(0)
    waves = np.cos(np.pi * np.outer(np.arange(1, 5), np.arange(DIM) + 0.5) / DIM)  # at right angles to each other

    def rows(count: int, shift: float = 0.0, off: float = 0.0) -> Array:
        latent = rng.normal(size=(count, 3)) @ waves[1:]
        made = 4.0 * waves[0] + latent + shift * waves[1] + off * (2.0 + waves[2]) + 0.2 * rng.normal(size=(count, DIM))
        return np.ascontiguousarray(made if dim == DIM else made.mean(axis=1, keepdims=True), np.float32)

    training = np.concatenate([rows(60), rows(12, 0.5)])
    clips = [TrainingClip(f"{n:04d}", "fan", "00", "source" if n < 60 else "target", ()) for n in range(72)]
    return training, clips, np.concatenate([rows(32), rows(8, 0.5)]), rows(6, off=8.0)
