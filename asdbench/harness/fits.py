"""A fit and its embeddings in the cache: where they lie, and what is in them."""

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
from asdbench.core.store import StoredFolder, discard
from asdbench.harness.cells import Cell
from asdbench.harness.record import Failure, TrainedNetwork

FACTS = "fit.json"  # beside what the extractor has saved
ROWS, MEASURED = "rows.npy", "measured.json"  # of embeddings


@dataclass
class Embedded:
    """Embeddings of one extractor and seed.

    Attributes:
        rows: by machine type, float32 (n, dim), in the order of ``Dataset.blind`` of that machine.
        training: the networks that were trained, and frozen ones, which have no curves.
        notes: of the fits.
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

    def add_notes(self, notes: Sequence[str]) -> None:
        """Add those that are not there yet."""
        self.notes += [note for note in dict.fromkeys(notes) if note not in self.notes]

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add to what a stage took."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


class Fit:
    """One fit, and the embeddings of the machine types that share it, in the cache.

    Attributes:
        trained: folder of the fitted extractor.
        checkpoint: folder of a training that is not done yet.
        lock: taken by the process that fits and embeds.
        seed: of the extractor.
        fit: the fitted extractor, as a stored folder.
        embeddings: by machine type.
    """

    def __init__(self, cell: Cell, machines: Sequence[str], cache: Path) -> None:
        name = cell.extractor.name
        self.machines = list(machines)
        self.seed = cell.fit_seed(machines)
        self.trained = cache / "trained" / cell.fit_key(machines)
        self.checkpoint = self.trained.with_suffix(".checkpoint")
        self.lock = lock_path(self.trained)
        self.fit = StoredFolder(self.trained, f"the trained extractor {name}")
        self.embeddings = {
            machine: StoredFolder(
                cache / "embeddings" / cell.embedding_key(machine), f"embeddings ({name}) of {machine}"
            )
            for machine in machines
        }

    @property
    def entries(self) -> list[StoredFolder]:
        """Everything that is written."""
        return [self.fit, *self.embeddings.values()]

    @property
    def is_trained(self) -> bool:
        """Whether the fit is there, as it was written."""
        return self.fit.intact

    @property
    def is_embedded(self) -> bool:
        """Whether the fit and all its embeddings are there, as they were written."""
        return all(entry.intact for entry in self.entries)

    @property
    def facts(self) -> dict[str, Any]:
        """What the fit left: seconds, parameters, curves, notes, whether it learned."""
        facts: dict[str, Any] = json.loads((self.trained / FACTS).read_text())
        return facts

    def read_into(self, done: Embedded, machines: Sequence[str]) -> None:
        """Add embeddings of ``machines`` to those of the other fits; all of them, or nothing.

        Raises:
            FileNotFoundError: something is not there, or not as it was written.
        """
        folders = {machine: self.embeddings[machine].path for machine in machines}
        for entry in (self.fit, *(self.embeddings[machine] for machine in machines)):
            if not entry.intact:
                raise FileNotFoundError(entry.path)
        facts = self.facts
        rows = {machine: np.load(folder / ROWS, allow_pickle=False) for machine, folder in folders.items()}
        measured = {machine: json.loads((folder / MEASURED).read_text()) for machine, folder in folders.items()}
        macs = {machine: one["macs"] for machine, one in measured.items() if one.get("macs") is not None}
        done.rows |= rows
        done.macs |= macs
        for one in measured.values():
            done.add_seconds("embed", one["embed"])
        done.add_seconds("fit", facts["seconds"])
        done.add_notes(facts["notes"])
        if facts["curves"] or facts["parameters"]:
            done.training.append(
                TrainedNetwork(
                    machines=self.machines,
                    parameters=facts["parameters"],
                    curves=facts["curves"],
                    macs=max(macs.values(), default=None),
                    learning=facts.get("learning"),
                )
            )

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
