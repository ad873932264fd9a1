"""Write a synthetic data set in the DCASE 2023 layout."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from asdbench.core.digests import derive_seed
from asdbench.core.files import whole_folder
from asdbench.core.progress import Progress
from asdbench.datasets.synthetic import bearing, environment, fan, gearbox, motor, pump, slider, valve
from asdbench.datasets.synthetic.hall import Hall, Heard
from asdbench.datasets.synthetic.machine import HEALTHY, Fault, Machine, Operation
from asdbench.datasets.synthetic.signals import RATE_HZ, Rng, Signal

MACHINES: dict[str, Machine] = {
    module.MACHINE.name: module.MACHINE for module in (fan, gearbox, bearing, slider, valve, pump, motor)
}


@dataclass(frozen=True)
class ClipPlan:
    """One clip to be made: everything but its sound."""

    machine: Machine
    domain: str
    split: str
    label: str
    number: int


@dataclass(frozen=True)
class Running:
    """A machine at work during one clip, before it is recorded.

    Attributes:
        name: of the file.
        sound: of the machine, unit RMS.
        noise: of the factory.
        microphone: in use.
        snr_db: of the machine over the noise.
        rng: of the clip, for what is still to be drawn.
    """

    name: str
    sound: Signal
    noise: str
    microphone: str
    snr_db: float
    rng: Rng


class SyntheticDataset:
    """Seeded generator of machine recordings with faults and domain shift.

    Every clip draws speed, load, noise type and microphone from its domain's values, and speed jitter, noise level
    and gain at random; anomalous clips cycle through the machine's fault modes at random severity. A clip depends
    on the seed and its own place alone, so more machines or clips change no other clip.

    With two microphones the same machines run under the same conditions in a hall; channel 0 is near, 1 far.
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

    def make(self, folder: Path, jobs: int, progress: Progress) -> None:
        """Write all clips to ``folder``, whole or not at all, ``jobs`` at a time."""
        plans = list(self.plans())
        with whole_folder(folder) as place, progress.stage("synthetic machines", len(plans)) as stage:
            for machine in self.machines:
                for split in ("train", "test"):
                    (place / machine.name / split).mkdir(parents=True)
            pool = ThreadPoolExecutor(jobs)
            try:
                for _ in pool.map(lambda plan: self._write(plan, place), plans):
                    stage.advance()
            finally:
                pool.shutdown(cancel_futures=True)
            about: dict[str, object] = {
                "machines": [m.name for m in self.machines],
                "clip_s": self.clip_s,
                "seed": self.seed,
            }
            if self.microphones == 2:
                about["microphones"] = 2
            (place / "synthetic.json").write_text(json.dumps(about) + "\n")

    def plans(self) -> Iterator[ClipPlan]:
        """All clips, machine by machine."""
        for machine in self.machines:
            for domain in ("source", "target"):
                for number in range(self.train[domain]):
                    yield ClipPlan(machine, domain, "train", "normal", number)
                for label in ("normal", "anomaly"):
                    for number in range(self.test // 4):
                        yield ClipPlan(machine, domain, "test", label, number)

    def render(self, plan: ClipPlan) -> tuple[str, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]:
        """File name and samples in [-1, 1] of one clip: (samples,), or (samples, 2) of two microphones."""
        if self.microphones == 2:
            name, heard = self.parts(plan)
            return name, heard.recording
        run = self._running(plan)
        return run.name, environment.record(run.sound, run.rng, run.noise, run.microphone, run.snr_db)

    def parts(self, plan: ClipPlan) -> tuple[str, Heard]:
        """File name of one clip of two microphones, and what of the machine and what of the noise is in it."""
        run = self._running(plan)
        hall = Hall(np.random.default_rng(derive_seed(self.seed, "synthetic", "hall", plan.machine.name)))
        return run.name, hall.record(run.sound, run.rng, run.noise, run.microphone, run.snr_db)

    def _running(self, plan: ClipPlan) -> Running:
        place = (plan.machine.name, plan.domain, plan.split, plan.label, plan.number)
        rng = np.random.default_rng(derive_seed(self.seed, "synthetic", *place))
        machine = plan.machine
        domain = machine.source if plan.domain == "source" else machine.target
        speed, load = float(rng.choice(domain.speeds)), float(rng.choice(domain.loads))
        noise, microphone = str(rng.choice(domain.noises)), str(rng.choice(domain.microphones))
        fault = HEALTHY
        if plan.label == "anomaly":
            fault = Fault(machine.faults[plan.number % len(machine.faults)], float(rng.uniform(*machine.severity)))
        operation = Operation(round(self.clip_s * RATE_HZ), speed * rng.normal(1, 0.01), load + rng.normal(0, 0.04))
        name = (
            f"section_00_{plan.domain}_{plan.split}_{plan.label}_{plan.number:04d}"
            f"_speed_{speed:g}_load_{load:g}_noise_{noise}_mic_{microphone}.wav"
        )
        signal = machine.sound(operation, fault, rng)
        return Running(name, signal, noise, microphone, float(rng.uniform(*machine.snr_db)), rng)

    def _write(self, plan: ClipPlan, place: Path) -> None:
        import soundfile

        name, samples = self.render(plan)
        wav = BytesIO()  # soundfile does not say why it cannot write to a disk; Python does
        soundfile.write(wav, samples, RATE_HZ, subtype="PCM_16", format="WAV")
        (place / plan.machine.name / plan.split / name).write_bytes(wav.getvalue())
