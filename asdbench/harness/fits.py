"""A fit and its embeddings in the cache: where they lie, and what they hold."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.files import clear_write_errors
from asdbench.core.locks import exclusive, lock_path
from asdbench.core.store import StoredFolder, Warn, discard
from asdbench.harness.cells import Cell
from asdbench.harness.record import Failure, TrainedNetwork

SAVED = "fit.json"  # beside what the extractor has saved
ROWS, MEASURED = "rows.npy", "measured.json"  # of embeddings


@dataclass
class Embedded:
    """Embeddings of one extractor and seed.

    Attributes:
        rows: by machine type, float32 (n, dim), in the order of ``Dataset.blind_view`` of that machine.
        training: what each fit left to look at.
        notes: what each fit noted.
        seconds: of fitting and of embedding, when they were computed.
        macs: multiply-accumulates for one clip by machine type, where a network was counted.
        failures: why rows are missing.
    """

    rows: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    training: list[TrainedNetwork] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    macs: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


class Fit:
    """One fit, and the embeddings of the machine types that share it, in the cache.

    Args:
        cell: a run that needs the fit.
        machines: that share it.
        cache: its folder.
    """

    def __init__(self, cell: Cell, machines: Sequence[str], cache: Path) -> None:
        self.cell = cell
        self.machines = list(machines)
        self.seed = cell.fit_seed(machines)
        self.trained = cache / "trained" / cell.fit_key(machines)
        name = cell.extractor.name
        self.fit = StoredFolder(self.trained, f"the trained extractor {name}")
        self.embeddings = {
            machine: StoredFolder(
                cache / "embeddings" / cell.embedding_key(machine), f"embeddings ({name}) of {machine}"
            )
            for machine in machines
        }

    @property
    def checkpoint(self) -> Path:
        """Folder of a training that is not done yet."""
        return self.trained.with_suffix(".checkpoint")

    @property
    def entries(self) -> list[StoredFolder]:
        """Everything that is written."""
        return [self.fit, *self.embeddings.values()]

    @property
    def lock(self) -> Path:
        """Held by the process that fits and embeds."""
        return lock_path(self.trained)

    @property
    def is_trained(self) -> bool:
        """Whether the fit is there, as it was written."""
        return self.fit.intact

    @property
    def is_embedded(self) -> bool:
        """Whether the fit and all its embeddings are there, as they were written."""
        return all(entry.intact for entry in self.entries)

    def verify(self, warn: Warn) -> None:
        """Clear up what is damaged or half-written; the lock is held."""
        for entry in self.entries:
            entry.verify(warn)

    @property
    def facts(self) -> dict[str, Any]:
        """What the fit left: seconds, parameters, curves, notes, whether it learned."""
        found: dict[str, Any] = json.loads((self.trained / SAVED).read_text())
        return found

    def read_into(self, done: Embedded, machines: Sequence[str]) -> None:
        """Add embeddings of ``machines`` to those of the other fits; all of them, or nothing.

        Raises:
            FileNotFoundError: something is not there, or not as it was written.
        """
        places = {machine: self.embeddings[machine].path for machine in machines}
        for entry in (self.fit, *(self.embeddings[machine] for machine in machines)):
            if not entry.intact:
                raise FileNotFoundError(entry.path)
        facts = self.facts
        rows = {machine: np.load(place / ROWS, allow_pickle=False) for machine, place in places.items()}
        measured = {machine: json.loads((place / MEASURED).read_text()) for machine, place in places.items()}
        done.rows |= rows
        for machine, found in measured.items():
            _add(done.seconds, "embed", found["embed"])
            if found.get("macs") is not None:
                done.macs[machine] = found["macs"]
        _add(done.seconds, "fit", facts["seconds"])
        done.notes += [note for note in facts["notes"] if note not in done.notes]
        if facts["curves"]:
            counted = [done.macs[machine] for machine in self.machines if machine in done.macs]
            network = TrainedNetwork(
                machines=self.machines,
                parameters=facts["parameters"],
                curves=facts["curves"],
                macs=max(counted, default=None),
                learning=facts.get("learning"),
            )
            done.training.append(network)

    def drop_checkpoint(self) -> None:
        """Remove what a training has left to go on from."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)

    def forget(self, on_wait: Callable[[], None] | None = None) -> None:
        """Remove everything; waits for a process that is at it."""
        with exclusive(self.lock, on_wait=on_wait):
            for entry in self.entries:
                with clear_write_errors(entry.path):
                    discard(entry.path)
            self.drop_checkpoint()


def _add(total: dict[str, float], stage: str, seconds: float) -> None:
    total[stage] = total.get(stage, 0.0) + seconds
