"""Write a synthetic data set in the DCASE 2023 layout."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.datasets.synthetic.generated import GeneratedDataset
from asdbench.datasets.synthetic.machine import Machine, Operation
from asdbench.datasets.synthetic.recording import Room, StereoRecording, record
from asdbench.datasets.synthetic.rotating import ROTATING
from asdbench.datasets.synthetic.signals import RATE_HZ, Signal, Synthesizer
from asdbench.datasets.synthetic.strokes import STROKES

MACHINES: dict[str, Machine] = {machine.name: machine for machine in (*ROTATING, *STROKES)}


@dataclass(frozen=True)
class ClipPlan:
    """One clip to be made: everything but its sound."""

    machine: Machine
    domain: str
    split: str
    label: str
    number: int


def fault_of(plan: ClipPlan) -> str:
    """The fault mode of an anomalous clip; empty for a healthy one."""
    faults = plan.machine.faults
    return faults[plan.number % len(faults)] if plan.label == "anomaly" else ""


class SyntheticDataset(GeneratedDataset[ClipPlan]):
    """Seeded generator of machine recordings with faults and domain shift.

    Every clip draws speed, load, noise type and microphone from its domain's values, and speed jitter, noise level
    and gain at random; anomalous clips cycle through the machine's fault modes at random severity. A clip depends
    on the seed and its own place alone, so more machines or clips change no other clip.

    With two microphones the same machines run under the same conditions in a room; channel 0 is near, 1 far.
    """

    def __init__(
        self,
        *,
        machines: Sequence[str],
        clip_s: float,
        train_source: int,
        train_target: int,
        test: int,
        microphones: int,
        seed: int,
    ) -> None:
        self.machines = [MACHINES[name] for name in machines]
        self.clip_s = clip_s
        self.train = {"source": train_source, "target": train_target}
        self.test = test
        self.microphones = microphones
        self.seed = seed

    def describe(self, folder: Path) -> None:
        """Write what the clips were made of beside them."""
        about = {"machines": [machine.name for machine in self.machines], "clip_s": self.clip_s, "seed": self.seed}
        about |= {"microphones": 2} if self.microphones == 2 else {}
        (folder / "synthetic.json").write_text(json.dumps(about) + "\n")

    def path_of(self, plan: ClipPlan, name: str) -> Path:
        """Where a clip of a name goes, below the data set's folder."""
        return Path(plan.machine.name, plan.split, name)

    def plans(self) -> Iterator[ClipPlan]:
        """All clips, machine by machine."""
        for machine in self.machines:
            for domain in ("source", "target"):
                for number in range(self.train[domain]):
                    yield ClipPlan(machine, domain, "train", "normal", number)
                for label in ("normal", "anomaly"):
                    for number in range(self.test // 4):
                        yield ClipPlan(machine, domain, "test", label, number)

    def render(self, plan: ClipPlan) -> tuple[str, Signal | StereoRecording]:
        """File name and sound of one clip: samples in [-1, 1], of two microphones machine and noise apart."""
        place = (plan.machine.name, plan.domain, plan.split, plan.label, plan.number)
        rng = np.random.default_rng(derive_seed(self.seed, "synthetic", *place))
        machine = plan.machine
        domain = machine.source if plan.domain == "source" else machine.target
        speed, load = float(rng.choice(domain.speeds)), float(rng.choice(domain.loads))
        noise, microphone = str(rng.choice(domain.noises)), str(rng.choice(domain.microphones))
        fault, severity = "", 0.0
        if plan.label == "anomaly":
            fault, severity = fault_of(plan), float(rng.uniform(*machine.severity))
        operation = Operation(speed * rng.normal(1, 0.01), load + rng.normal(0, 0.04), fault, severity)
        name = (
            f"section_00_{plan.domain}_{plan.split}_{plan.label}_{plan.number:04d}"
            f"_speed_{speed:g}_load_{load:g}_noise_{noise}_mic_{microphone}.wav"
        )
        synth = Synthesizer(round(self.clip_s * RATE_HZ), rng)
        sound = machine.sound(operation, synth)
        snr_db = float(rng.uniform(*machine.snr_db))
        if self.microphones == 1:
            return name, record(sound, synth, noise, microphone, snr_db)
        room = Room(np.random.default_rng(derive_seed(self.seed, "synthetic", "hall", machine.name)))
        return name, room.record(sound, synth, noise, microphone, snr_db)

    def recording(self, plan: ClipPlan) -> tuple[Path, NDArray[np.float64]]:
        """Place and samples of one clip."""
        name, sound = self.render(plan)
        return self.path_of(plan, name), sound.samples if isinstance(sound, StereoRecording) else sound
