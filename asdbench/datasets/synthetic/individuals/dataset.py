"""Write individuals in the DCASE 2020 layout."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asdbench.core.digests import derive_seed
from asdbench.datasets.synthetic.generated import GeneratedDataset
from asdbench.datasets.synthetic.individuals.hall import Hall
from asdbench.datasets.synthetic.individuals.units import UNITS, State
from asdbench.datasets.synthetic.signals import RATE_HZ, Rng, Signal, Synthesizer

SEVERITY = (0.8, 1.6)
SNR_DB = (-6.0, 6.0)
LOAD = (0.3, 0.9)
SPEED_SPREAD = 0.005  # from clip to clip


@dataclass(frozen=True)
class IndividualClip:
    """One clip to be made: everything but its sound."""

    machine: str
    id: int
    split: str
    label: str
    number: int


class IndividualMachines(GeneratedDataset[IndividualClip]):
    """Seeded generator of several individuals of each machine type, in one hall, over several days.

    All individuals of a type are of one design, each with its own tolerances. A clip is of one of the days, whose hall,
    microphone place and temperature all individuals share, and draws load, speed and noise level for itself; so the
    mean spectrum varies more between days and loads than between individuals. Anomalous clips cycle through the fault
    modes of the type. A clip depends on the seed and its own place alone.

    Example:
        >>> import asdbench as asd
        >>> data = asd.load("synthetic-ids", machines=["fan"], ids=2, train=3, test=4, clip_s=1.0)
        >>> len(data.clips)
        14
    """

    def __init__(
        self, *, machines: Sequence[str], ids: int, train: int, test: int, days: int, clip_s: float, seed: int
    ) -> None:
        self.machines = list(machines)
        self.ids = ids
        self.counts = {("train", "normal"): train, ("test", "normal"): test // 2, ("test", "anomaly"): test // 2}
        self.days = days
        self.clip_s = clip_s
        self.seed = seed

    def plans(self) -> Iterator[IndividualClip]:
        """All clips, machine by machine."""
        for machine in self.machines:
            for unit in range(self.ids):
                for (split, label), count in self.counts.items():
                    yield from (IndividualClip(machine, unit, split, label, number) for number in range(count))

    def recording(self, plan: IndividualClip) -> tuple[Path, Signal]:
        """Place and samples of one clip."""
        rng = self._rng("clip", plan.machine, plan.id, plan.split, plan.label, plan.number)
        design = UNITS[plan.machine]
        day = int(rng.integers(self.days))
        weather = self._rng("weather", day)
        hall = Hall(weather)
        fault, severity = "", 0.0
        if plan.label == "anomaly":
            fault, severity = design.FAULTS[plan.number % len(design.FAULTS)], float(rng.uniform(*SEVERITY))
        heat = float(np.clip(weather.uniform(0, 1) + rng.normal(0, 0.1), 0, 1))
        state = State(1 + SPEED_SPREAD * rng.standard_normal(), float(rng.uniform(*LOAD)), heat, fault, severity)
        synth = Synthesizer(round(self.clip_s * RATE_HZ), rng)
        sound = design(self._rng("unit", plan.machine, plan.id)).sound(state, synth)
        name = f"{plan.label}_id_{2 * plan.id:02d}_{plan.number:08d}.wav"
        return Path(plan.machine, plan.split, name), hall.record(sound, synth, float(rng.uniform(*SNR_DB)))

    def describe(self, folder: Path) -> None:
        """Write what the clips were made of beside them."""
        about = {
            "machines": self.machines,
            "ids": self.ids,
            "days": self.days,
            "clip_s": self.clip_s,
            "seed": self.seed,
        }
        (folder / "synthetic.json").write_text(json.dumps(about) + "\n")

    def _rng(self, *place: str | int) -> Rng:
        return np.random.default_rng(derive_seed(self.seed, "individuals", *place))
