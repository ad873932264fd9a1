"""Where a fit and its embeddings lie in the cache, and what they hold."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed, digest
from asdbench.core.files import clear_write_errors
from asdbench.core.locks import exclusive, lock_of
from asdbench.core.store import Entry, Tell, discard
from asdbench.datasets import ClipTable
from asdbench.frontends.store import names_of
from asdbench.harness.plan import Cell, Plan
from asdbench.harness.record import Failure, TrainedNetwork

SAVED = "fit.json"  # beside what the extractor has saved
ROWS, MEASURED = "rows.npy", "measured.json"  # of embeddings
FORMAT = 4  # of what is kept beside a fitted extractor; raised when it changes


@dataclass
class Embedded:
    """Embeddings of one extractor and seed.

    Attributes:
        rows: by machine type, float32 (n, dim), in the order of ``ClipTable.blind_view`` of that machine.
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


class KeptFit:
    """The place of one fit, and of the embeddings of the machine types that share it.

    Args:
        plan: cache, device and threads.
        cell: a run that needs the fit.
        machines: that share it.
    """

    def __init__(self, plan: Plan, cell: Cell, machines: Sequence[str]) -> None:
        self.machines = list(machines)
        self._plan = plan
        self._pipeline = cell.pipeline
        self._all = cell.data.table
        self.table = self._all.select(machines=machines)
        name = self._pipeline.extractor.name
        self.seed = derive_seed(cell.seed, "extractor", name, *([] if self._pipeline.trained_once else machines))

    @cached_property
    def others(self) -> ClipTable:
        """Training clips of other machine types, where the extractor may use them; else none."""
        wanted = self._pipeline.trained_among_others
        others = [machine for machine in self._all.machines if wanted and machine not in self.machines]
        return self._all.select(machines=others, split="train")

    @cached_property
    def trained(self) -> Path:
        """Folder of the fitted extractor."""
        clips, others = (
            [[clip.machine, clip.section, clip.domain, clip.attributes, clip.key] for clip in view]
            for view in (self.table.training_view(), self.others.training_view())
        )
        depends = [FORMAT, self._pipeline.identity("fit"), clips, others, self.seed, self._plan.numerics]
        if self._pipeline.by_name:
            depends.append(names_of(self.table.select(split="train")) + names_of(self.others))
        return self._plan.cache / "trained" / digest(depends, 24)

    @cached_property
    def fit(self) -> Entry:
        """The fitted extractor."""
        return Entry(self.trained, f"the trained extractor {self._pipeline.extractor.name}")

    @cached_property
    def embeddings(self) -> dict[str, Entry]:
        """Embeddings by machine type, and what was measured beside them."""
        read = self._pipeline.extractor.identity().get("params")  # with those that affect the embedding alone
        found = {}
        for machine in self.machines:
            own = self.table.select(machines=[machine])
            clips = [[clip.section, clip.key] for clip in own.blind_view()]
            names = [names_of(own)] if self._pipeline.by_name else []
            name = digest([self.trained.name, read, machine, clips, *names], 24)
            what = f"embeddings ({self._pipeline.extractor.name}) of {machine}"
            found[machine] = Entry(self._plan.cache / "embeddings" / name, what)
        return found

    @property
    def checkpoint(self) -> Path:
        """Folder of a training that is not done yet."""
        return self.trained.with_suffix(".checkpoint")

    @property
    def entries(self) -> list[Entry]:
        """Everything that is written."""
        return [self.fit, *self.embeddings.values()]

    @property
    def lock(self) -> Path:
        """Held by the process that fits and embeds."""
        return lock_of(self.trained)

    @property
    def is_trained(self) -> bool:
        """Whether the fit is there, as it was written."""
        return self.fit.intact

    @property
    def is_embedded(self) -> bool:
        """Whether the fit and all its embeddings are there, as they were written."""
        return all(entry.intact for entry in self.entries)

    def drop_damaged(self, tell: Tell) -> None:
        """Clear up what is damaged or half-written; the lock is held."""
        for entry in self.entries:
            entry.drop_damaged(tell)

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
        """Remove what a training kept to go on from."""
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
