"""A fit and its embeddings in the cache: where they lie, and what is in them."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.core.faults import fault_of
from asdbench.core.files import clear_write_errors
from asdbench.core.locks import exclusive, lock_path
from asdbench.core.progress import Silent
from asdbench.core.store import StoredFolder, discard
from asdbench.core.threads import torch_threads
from asdbench.datasets import BlindClip
from asdbench.extractors.base import Context, Extractor
from asdbench.frontends.base import Frontend
from asdbench.frontends.pack import InMemoryFeatures
from asdbench.harness.cells import Cell
from asdbench.harness.machine import available_cores, full_precision
from asdbench.harness.outputs import checked_embeddings
from asdbench.harness.record import Failure, TrainedNetwork

FACTS = "fit.json"  # beside what the extractor has saved
ROWS, MEASURED = "rows.npy", "measured.json"  # of embeddings


@dataclass
class Embedded:
    """Embeddings of one extractor and seed."""

    # By machine type, float32 (n, dim), in the order of ``Dataset.blind`` of that machine.
    rows: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    # The networks that were trained, and frozen ones, which have no curves.
    training: list[TrainedNetwork] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # of the fits
    seconds: dict[str, float] = field(default_factory=dict)  # of fitting and embedding, when they were computed
    failures: list[Failure] = field(default_factory=list)  # why rows are missing

    def of(self, machine: str) -> NDArray[np.float32]:
        """Embeddings of one machine type. Raises AsdbenchError: there are none; the message says why."""
        if machine not in self.rows:
            raise AsdbenchError(next((failure.reason for failure in self.failures), "it has no embeddings"))
        return self.rows[machine]

    def add_notes(self, notes: Sequence[str]) -> None:
        """Add those that are not there yet."""
        self.notes += [note for note in dict.fromkeys(notes) if note not in self.notes]

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add to what a stage took."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


class Fit:
    """One fit, and the embeddings of the machine types that share it, in the cache."""

    def __init__(self, cell: Cell, machines: Sequence[str], cache: Path) -> None:
        self._component = cell.extractor
        name = cell.extractor.name
        self.machines = list(machines)
        self.seed = cell.fit_seed(machines)  # of the extractor
        self.trained = cache / "trained" / cell.fit_key(machines)  # folder of the fitted extractor
        self.checkpoint = self.trained.with_suffix(".checkpoint")  # folder of a training that is not done yet
        self.lock = lock_path(self.trained)  # taken by the process that fits and embeds
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

    def extractor(self) -> Extractor:
        """The fitted extractor. Raises AsdbenchError: it is not there, or not as it was written."""
        if not self.is_trained:
            raise AsdbenchError(f"{self.fit.what} is no longer in the cache, or damaged there. Run again.")
        extractor: Extractor = self._component.build()
        extractor.load(self.trained)
        extractor.curves, extractor.parameter_count = self.facts["curves"], self.facts["parameters"]
        return extractor

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


def embed_features(
    extractor: Extractor,
    name: str,
    features: Sequence[NDArray[np.float32]],
    frontend: Frontend,
    *,
    seed: int,
    device: str,
    threads: int,
    machine: str = "",
    section: str = "",
) -> NDArray[np.float32]:
    """Embeddings of recordings that are in no data set, in the order of their features.

    (n, dim) or (n, bands, dim); of an encoder that was asked for patches unpooled, a list of (patches, dim).

    Raises:
        AsdbenchError: the extractor fails, or what it gives cannot be used.
    """
    keys = [f"{place:08d}" for place in range(len(features))]
    context = Context(
        seed=seed,
        device=device,
        jobs=available_cores(),
        progress=Silent(),
        features=InMemoryFeatures(dict(zip(keys, features, strict=True))),
        frame_rate_hz=frontend.frame_rate_hz,
    )
    try:
        with torch_threads(threads), full_precision(device):
            clips = [BlindClip(key, machine, section) for key in keys]
            if getattr(extractor, "unpooled", False):
                return extractor.patches(clips, context)  # type: ignore[attr-defined, no-any-return]
            rows = extractor.embed(clips, context)
    except AsdbenchError:
        raise
    except Exception as error:  # networks and plugins may raise anything on a length they do not take
        raise AsdbenchError(f"{name} failed on it: {fault_of(error).reason}") from error
    return checked_embeddings(rows, len(keys), name, machine)
