"""A factory to try own recordings on: healthy ones of a few machines, tomorrow's, and which of those are anomalous."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from asdbench.core.digests import derive_seed
from asdbench.datasets.synthetic.dataset import ClipPlan, SyntheticDataset, fault_of

FIRST = {"train": datetime(2025, 3, 1, 10), "test": datetime(2025, 3, 12, 10)}  # of a recorder's clock
EVERY = timedelta(minutes=10)
SEVERITY = (0.5, 1.0)  # of faults: plainer than those that systems are compared on
SNR_DB = (6.0, 14.0)  # of a recorder on the machine
TABLE = "clips.csv"


class Factory(SyntheticDataset):
    """Machines of ``SyntheticDataset`` under steady conditions, recorded by somebody who never heard of the challenge.

    ``<machine>/pump_2025-03-01T10-00.wav`` are healthy, ``tomorrow/<machine>/`` holds healthy and anomalous ones in
    one, and ``clips.csv`` is the table of all that says which is which.
    """

    def __init__(
        self, *, machines: Sequence[str], clip_s: float, healthy: int, tomorrow: int, anomalies: int, seed: int
    ) -> None:
        super().__init__(
            machines=machines, clip_s=clip_s, train_source=healthy, train_target=0, test=0, microphones=1, seed=seed
        )
        self.machines = [
            replace(
                machine,
                source=replace(machine.source, microphones=machine.source.microphones[:1]),
                severity=SEVERITY,
                snr_db=SNR_DB,
            )
            for machine in self.machines
        ]
        self.counts = {("train", "normal"): healthy, ("test", "normal"): max(tomorrow - anomalies, 0)}
        self.counts["test", "anomaly"] = min(tomorrow, anomalies)

    def plans(self) -> Iterator[ClipPlan]:
        """All clips, machine by machine."""
        for machine in self.machines:
            for (split, label), count in self.counts.items():
                yield from (ClipPlan(machine, "source", split, label, number) for number in range(count))

    def path_of(self, plan: ClipPlan, name: str) -> Path:
        """Where a clip goes; its name says machine and time alone."""
        machine, place = plan.machine.name, plan.number
        if plan.split == "test":  # anomalies come at any time of the day
            healthy, anomalous = self.counts["test", "normal"], self.counts["test", "anomaly"]
            rng = np.random.default_rng(derive_seed(self.seed, "synthetic", "tomorrow", machine))
            place = int(rng.permutation(healthy + anomalous)[place + (healthy if plan.label == "anomaly" else 0)])
        time = FIRST[plan.split] + place * EVERY
        above = Path("tomorrow") if plan.split == "test" else Path()
        return above / machine / f"{machine}_{time:%Y-%m-%dT%H-%M}.wav"

    def describe(self, folder: Path) -> None:
        """Write the table of clips."""
        rows = [
            (self.path_of(plan, "").as_posix(), plan.machine.name, plan.split, plan.label, fault_of(plan))
            for plan in self.plans()
        ]
        with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("path", "machine", "split", "label", "attribute.fault"))
            writer.writerows(sorted(rows))
