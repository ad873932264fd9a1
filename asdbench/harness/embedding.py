"""Fit the extractor where needed and embed every clip; fits and embeddings stay in the cache."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import digest
from asdbench.core.errors import AsdbenchError
from asdbench.core.files import require_permission, write_bytes, write_json
from asdbench.core.locks import exclusive
from asdbench.core.progress import Progress, Silent
from asdbench.core.store import StoredFolder
from asdbench.core.threads import torch_threads
from asdbench.datasets import BlindClip, Dataset, TrainingClip
from asdbench.extractors.base import Context, Extractor, Training
from asdbench.frontends.decoding import TrainingWaveforms
from asdbench.frontends.pack import FeatureReader
from asdbench.frontends.store import FeatureStore, names_of
from asdbench.harness.cells import Cell
from asdbench.harness.ensemble import member_scores
from asdbench.harness.fits import FACTS, MEASURED, ROWS, Embedded, Fit
from asdbench.harness.machine import full_precision
from asdbench.harness.outputs import (
    checked_count,
    checked_curves,
    checked_embeddings,
    checked_learning,
    checked_notes,
    collapse,
    recorded,
)
from asdbench.harness.record import Failure

ATTEMPTS = 3  # at reading what was just computed


class EmbeddingStage:
    """Embeds the machine types of a data set by the front end and the extractor of a cell.

    The extractor is given training features while it fits and blind clips while it embeds; see
    ``asdbench.datasets.clips`` for what the views leave out. Of two processes that want the same fit, one waits for
    the other.

    Args:
        cell: a run; its scorer does not matter.
        cache: its folder.
        progress: where the work is reported.
        cores: threads for decoding.
    """

    def __init__(self, cell: Cell, cache: Path, progress: Progress, cores: int) -> None:
        self._cell = cell
        self._cache = cache
        self._progress = progress
        self._cores = cores
        self._features = FeatureStore(cache / "features", cores, progress)

    def prepare_features(self) -> None:
        """Decode every recording, so that all bad ones are reported before anything is trained."""
        self._features.read(self._cell.dataset, self._cell.frontend)

    def run(self, machines: Sequence[str] = (), failures: Sequence[Failure] = ()) -> Embedded:
        """Embeddings of some machine types, or of all: what is in the cache is read, the rest computed.

        Those of an ensemble are its members' scores. What failed before, as ``failures`` say, is not tried again.
        """
        cell, machines = self._cell, machines or self._cell.dataset.machines
        if not cell.members:
            done = Embedded(failures=list(failures))
            for group in cell.groups:
                if not set(group).isdisjoint(machines):
                    self._add_group(group, done)
            return done
        done, started = Embedded(), time.perf_counter()
        for machine in machines:
            with recorded(done.failures, "embed", machine):
                done.rows[machine] = np.stack([self._scores(one, machine, done) for one in cell.members], axis=1)
        done.seconds["embed"] = time.perf_counter() - started
        return done

    def _scores(self, member: Cell, machine: str, done: Embedded) -> NDArray[np.float32]:
        """A member's scores of a machine type's clips (n,), from embeddings that are those of its own run."""
        embedded = EmbeddingStage(member, self._cache, self._progress, self._cores).run([machine])
        scores, notes = member_scores(member, machine, embedded)
        done.add_notes([f"{member.name}: {note}" for note in notes])
        return scores

    def _add_group(self, group: Sequence[str], done: Embedded) -> None:
        """Compute and read machine types that share a fit; again, when somebody empties the cache in between."""
        for _ in range(ATTEMPTS):
            if not {failure.machine for failure in done.failures} & {None, *group}:
                done.failures += self.compute(group)
            if any(failure.stage == "fit" and failure.machine in (None, group[0]) for failure in done.failures):
                return
            failed = {failure.machine for failure in done.failures}
            embedded = [machine for machine in group if machine not in failed]
            with suppress(FileNotFoundError):
                Fit(self._cell, group, self._cache).read_into(done, embedded)
                return
        reason = "Its embeddings are removed from the cache as soon as they are there."
        done.failures += [Failure(stage="embed", machine=machine, reason=reason) for machine in embedded]

    def compute(self, machines: Sequence[str], others: Sequence[Cell] = (), *, wait: bool = True) -> list[Failure]:
        """Fit and embed machine types that share a fit; what is in the cache is left as it is.

        Args:
            machines: that share the fit.
            others: further cells with this very fit, whose embeddings are made in the same pass over the clips. One
                that fails is left for later, when it is asked for by itself.
            wait: for another process that is at it.

        Returns:
            Why embeddings of machine types are missing; empty when all are there.

        Raises:
            BusyError: another process is at it, and ``wait`` is false.
        """
        failures: list[Failure] = []
        with recorded(failures, "fit", None if self._cell.fit_on == "dataset" else machines[0]):
            fit = Fit(self._cell, machines, self._cache)
            if fit.is_embedded:
                return failures
            with exclusive(fit.lock, wait=wait, on_wait=self._note_wait), torch_threads(self._cell.threads):
                self.verify(fit)
                if not fit.is_embedded:
                    extractor = self._fitted(fit)
                    for machine, entry in fit.embeddings.items():
                        if not entry.intact:
                            with recorded(failures, "embed", machine):
                                self._embed(extractor, machine, fit, others)
        return failures

    def verify(self, fit: Fit) -> None:
        """Report and remove what is damaged of a fit and its embeddings; call it with the fit's lock.

        Raises:
            AsdbenchError: something is missing, and may not be written.
        """
        for entry in fit.entries:
            entry.verify(self._progress.note)
        if not fit.is_embedded:
            for folder in {entry.path.parent for entry in fit.entries}:
                require_permission(folder)

    def _note_wait(self) -> None:
        name = self._cell.extractor.name
        self._progress.note(f"{name}, seed {self._cell.seed}: another process is training the same; waiting for it.")

    def _fitted(self, fit: Fit) -> Extractor:
        """The extractor as it is in the cache, else trained now."""
        if fit.is_trained:
            return fit.extractor()
        extractor, clips, context = self.to_fit(fit)
        started = time.perf_counter()
        extractor.fit(clips, context)
        self.store_fit(fit, extractor, time.perf_counter() - started)
        return extractor

    def to_fit(self, fit: Fit) -> tuple[Extractor, Sequence[TrainingClip], Context]:
        """An extractor that knows nothing yet, and what its fit is given."""
        extractor: Extractor = self._cell.extractor.build()
        dataset = self._cell.dataset
        clips, others = dataset.select(machines=fit.machines, split="train"), self._cell.others(fit.machines)
        machines = [*clips.machines, *others.machines]
        features = self._features.read(dataset.select(machines=machines, split="train"), self._cell.frontend)
        training = self._training(clips, others, fit.checkpoint)
        return extractor, clips.training_view(), self._context(features, fit.seed, training)

    def store_fit(self, fit: Fit, extractor: Extractor, seconds: float) -> None:
        """Put a fitted extractor into the cache, with what the record says of the fit."""
        name = self._cell.extractor.name
        facts = {
            "seconds": round(seconds, 3),
            "parameters": checked_count(extractor.parameter_count, name),
            "curves": checked_curves(extractor.curves, name),
            "notes": checked_notes(extractor.notes, name),
            "learning": checked_learning(extractor.learning, name),
        }
        with fit.fit.written() as folder:
            extractor.save(folder)
            write_json(folder / FACTS, facts)
        fit.drop_checkpoint()

    def _training(self, clips: Dataset, others: Dataset, checkpoints: Path) -> Training:
        augmentations = {}
        for component in self._cell.augmentations:
            augmentation = component.build()
            on_waveforms = augmentation.works_on == "waveform"
            augmentation.rate_hz = self._frontend.sample_rate_hz if on_waveforms else self._frontend.frame_rate_hz
            augmentations[component.name] = augmentation
        identity = self._cell.identity()
        names = [names_of(clips)] if self._cell.by_name else []
        return Training(
            waveforms=TrainingWaveforms({clip.key: clip.path for clip in clips}, self._frontend),
            frontend=self._frontend,
            augmentations=augmentations,
            identity=digest([identity["frontend"], identity["augmentations"], *names]),
            views=self._cache / "views",
            checkpoints=checkpoints,
            others=others.training_view(),
        )

    def _context(self, features: FeatureReader, seed: int, training: Training | None = None) -> Context:
        return Context(
            seed=seed,
            device=self._cell.device,
            jobs=self._cores,
            progress=self._progress,
            features=features,
            frame_rate_hz=self._frontend.frame_rate_hz,
            training=training,
        )

    @cached_property
    def _frontend(self) -> Any:
        return self._cell.frontend.build()

    def _embed(self, extractor: Extractor, machine: str, fit: Fit, others: Sequence[Cell]) -> None:
        """Embed a machine type, and in the same pass what other cells of this fit lack."""
        dataset = self._cell.dataset.select(machines=[machine])
        clips = dataset.blind_view()
        context = self._context(self._features.read(dataset, self._cell.frontend), fit.seed)
        fits = {cell: Fit(cell, fit.machines, self._cache) for cell in others if _embeds_together(extractor)}
        lacking = [cell for cell, one in fits.items() if not one.embeddings[machine].intact]
        extractors = [extractor]
        started = time.perf_counter()
        with full_precision(self._cell.device):
            try:
                if lacking:
                    extractors += [fits[cell].extractor() for cell in lacking]
                rows = extractor.embed_together(extractors, clips, context) if lacking else []
            except Exception:  # of any of them
                rows = []
            rows = rows or [extractor.embed(clips, context)]
        seconds = time.perf_counter() - started  # of each of them: alone it would have taken as long
        self._store(self._cell, extractor, rows[0], dataset, context, fit.embeddings[machine], seconds)
        for cell, one, of_cell in zip(lacking, extractors[1:], rows[1:], strict=False):
            with suppress(AsdbenchError):
                self._store(cell, one, of_cell, dataset, context, fits[cell].embeddings[machine], seconds)

    def _store(
        self,
        cell: Cell,
        extractor: Extractor,
        rows: Any,
        dataset: Dataset,
        context: Context,
        entry: StoredFolder,
        seconds: float,
    ) -> None:
        """Check a machine type's embeddings and put them into the cache."""
        component, clips, (machine,) = cell.extractor, dataset.blind_view(), dataset.machines
        rows = checked_embeddings(rows, len(clips), component.name, machine)
        if extractor.curves:
            trained_on = {clip.key for clip in dataset.training_view()}
            fault = collapse(rows[[clip.key in trained_on for clip in clips]])
            if fault:
                raise AsdbenchError(
                    f"{component.name} collapsed on {machine}: {fault}. A lower learning rate or more training clips "
                    "usually mend it."
                    + (f" See: asdbench show {component.name}" if "learning_rate" in component.params else "")
                )
        macs = getattr(extractor, "macs", None)
        if macs is None and (extractor.curves or extractor.parameter_count):
            macs = _multiply_accumulates(extractor, clips, context)
        with entry.written() as folder:
            content = BytesIO()  # NumPy's own writing to a file does not say that the disk is full
            np.save(content, rows, allow_pickle=False)
            write_json(folder / MEASURED, {"embed": seconds, "macs": macs})
            write_bytes(folder / ROWS, content.getvalue())


def _embeds_together(extractor: Extractor) -> bool:
    """Whether it makes several embeddings in one pass, as the contract's own method does not."""
    return getattr(type(extractor), "embed_together", Extractor.embed_together) != Extractor.embed_together


def _multiply_accumulates(extractor: Extractor, clips: Sequence[BlindClip], context: Context) -> int:
    """Multiply-accumulates of embedding the longest clip: half the operations that PyTorch counts."""
    from asdbench.extractors.counting import operation_counter

    longest = max(clips, key=lambda clip: context.features[clip.key].shape[-1])
    with operation_counter() as counter:
        extractor.embed([longest], replace(context, progress=Silent()))
    return int(counter.get_total_flops()) // 2
