"""Stage: fit the extractor where needed and embed every clip; both are kept in the cache."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import digest
from asdbench.core.errors import AsdbenchError
from asdbench.core.files import require_permission, write_bytes, write_json
from asdbench.core.locks import exclusive
from asdbench.core.progress import Progress
from asdbench.core.store import Entry
from asdbench.datasets import BlindClip, ClipTable
from asdbench.extractors.base import Context, Extractor, Training
from asdbench.frontends.pack import FeatureReader
from asdbench.frontends.store import FeatureStore, names_of
from asdbench.frontends.waveforms import TrainingWaveforms
from asdbench.harness.collapse import collapse
from asdbench.harness.complexity import multiply_accumulates
from asdbench.harness.failures import Abandoned, recorded
from asdbench.harness.handover import (
    checked_count,
    checked_curves,
    checked_embeddings,
    checked_learning,
    checked_notes,
)
from asdbench.harness.kept import MEASURED, ROWS, SAVED, Embedded, KeptFit
from asdbench.harness.machine import full_precision, torch_threads
from asdbench.harness.members import Members
from asdbench.harness.plan import Cell, Plan
from asdbench.harness.record import Failure

ATTEMPTS = 3  # at reading what was just computed
QUARTERS = (0.25, 0.5, 0.75)

# Embeddings by machine type of a network that is trained up to a fraction (one of QUARTERS).
Watch = Callable[[Mapping[str, NDArray[np.float32]], float], None]


class StageError(AsdbenchError):
    """A stage that gave nothing usable."""


class EmbeddingStage:
    """Embeds the machine types of a data set with one pipeline and seed.

    The extractor is given training features while it fits and blind clips while it embeds; see
    ``asdbench.datasets.clips`` for what the views leave out. Fits and embeddings are kept in the cache; of two
    processes that want the same one, one waits for the other.

    Args:
        plan: cache, device and threads.
        cell: a run with the pipeline, data set and seed; its scorer does not matter.
        progress: where the work is reported.
        jobs: threads for decoding; all cores unless this process is one of several.
        watch: told the embeddings after each quarter of a training, where the extractor can embed by then; it may end
            the training by raising ``Abandoned``, which leaves nothing of it.
    """

    def __init__(
        self, plan: Plan, cell: Cell, progress: Progress, jobs: int | None = None, watch: Watch | None = None
    ) -> None:
        self._plan = plan
        self._cell = cell
        self._table = cell.data.table
        self._pipeline = cell.pipeline
        self._progress = progress
        self._jobs = jobs or plan.cores
        self._store = FeatureStore(plan.cache / "features", self._jobs, progress)
        self._frontend: Any = None
        self._watch = watch

    def prepare_features(self) -> None:
        """Decode every recording, so that bad ones are told before anything is trained, and all together."""
        for frontend in self._pipeline.frontends:
            self._store.read(self._table, frontend)

    def compute(self, machines: Sequence[str], *, wait: bool = True) -> list[Failure]:
        """Fit and embed machine types that share a fit; what is in the cache is left as it is.

        Returns:
            Why embeddings of machine types are missing; empty when all are there.

        Raises:
            BusyError: another process is at it, and ``wait`` is false.
        """
        failures: list[Failure] = []
        with recorded(failures, "fit", None if self._pipeline.trained_once else machines[0]):
            kept = KeptFit(self._plan, self._cell, machines)
            if kept.is_embedded:
                return failures
            with exclusive(kept.lock, wait=wait, on_wait=self._tell_wait), torch_threads(self._plan.spec.threads):
                kept.drop_damaged(self._progress.note)
                try:
                    if not kept.is_embedded:
                        for folder in {entry.path.parent for entry in kept.entries}:
                            require_permission(folder)
                        self._fit_and_embed(kept, failures)
                except Abandoned:
                    kept.drop_checkpoint()  # it is large, and the same training is seldom wanted again
                    raise
        return failures

    def run(self, failures: Sequence[Failure] = ()) -> Embedded:
        """Embeddings of all machine types: what is in the cache is read, the rest computed.

        What failed before, as ``failures`` say, is not tried again.
        """
        done = Embedded(failures=list(failures))
        for group in self._cell.groups:
            self.add_group(group, done)
        return done

    def add_group(self, group: Sequence[str], done: Embedded) -> None:
        """Compute and read one group; again, when somebody empties the cache in between."""
        for _ in range(ATTEMPTS):
            if not {failure.machine for failure in done.failures} & {None, *group}:
                done.failures += self.compute(group)
            if any(failure.stage == "fit" and failure.machine in (None, group[0]) for failure in done.failures):
                return
            failed = {failure.machine for failure in done.failures}
            sound = [machine for machine in group if machine not in failed]
            with suppress(FileNotFoundError):
                KeptFit(self._plan, self._cell, group).read_into(done, sound)
                return
        reason = "Its embeddings are removed from the cache as soon as they are there."
        done.failures += [Failure(stage="embed", machine=machine, reason=reason) for machine in sound]

    def embed_held(self, clips: Sequence[BlindClip], features: FeatureReader, machine: str) -> NDArray[np.float32]:
        """Embeddings (n, dim) of recordings that are in no data set, by the trained extractor that is in the cache.

        Raises:
            StageError: they are not finite, or not one a clip.
        """
        kept = KeptFit(self._plan, self._cell, next(group for group in self._cell.groups if machine in group))
        if not kept.is_trained:
            raise StageError(f"{kept.fit.what} is no longer in the cache, or damaged there. Run again.")
        extractor: Extractor = self._pipeline.extractor.build()
        extractor.load(kept.trained)
        with torch_threads(self._plan.spec.threads), full_precision(self._plan.device):
            rows = extractor.embed(clips, self._context(features, kept.seed, None))
        return checked_embeddings(rows, len(clips), self._pipeline.extractor.name, machine)

    def _tell_wait(self) -> None:
        name = self._pipeline.extractor.name
        self._progress.note(f"{name}, seed {self._cell.seed}: another process is training the same; waiting for it.")

    def _fit_and_embed(self, kept: KeptFit, failures: list[Failure]) -> None:
        if self._pipeline.members:
            self._score_members(kept, failures)
            return
        extractor = self._fitted(kept)
        for machine, entry in kept.embeddings.items():
            if not entry.intact:
                with recorded(failures, "embed", machine):
                    self._embed(extractor, machine, entry, kept.seed)

    def _score_members(self, kept: KeptFit, failures: list[Failure]) -> None:
        """Embeddings of an ensemble: what its members make of each clip."""
        members = Members(self._cell, lambda cell: EmbeddingStage(self._plan, cell, self._progress, self._jobs))
        for machine, entry in kept.embeddings.items():
            started = time.perf_counter()
            with recorded(failures, "embed", machine):
                rows = members.scores(machine)
                self._write_rows(rows, entry, {"embed": time.perf_counter() - started, "macs": None})
        with kept.fit.written() as folder:
            write_json(folder / SAVED, {"seconds": 0.0, "parameters": 0, "curves": {}, "notes": members.notes})

    def _fitted(self, kept: KeptFit) -> Extractor:
        extractor: Extractor = self._pipeline.extractor.build()
        if kept.is_trained:
            extractor.load(kept.trained)
            extractor.curves = kept.facts["curves"]
            return extractor
        training_clips, others = kept.table.select(split="train"), kept.others
        machines = [*training_clips.machines, *others.machines]
        features = self._store.read(self._table.select(machines=machines, split="train"), self._pipeline.frontend)
        training = self._training(training_clips, others, kept.checkpoint)
        if self._watch is not None and extractor.embeds_in_training:
            training = replace(training, after_epoch=partial(self._show, self._watch, extractor, kept))
        context = self._context(features, kept.seed, training)
        started = time.perf_counter()
        extractor.fit(training_clips.training_view(), context)
        seconds = time.perf_counter() - started
        name = self._pipeline.extractor.name
        facts = {
            "seconds": round(seconds, 3),
            "parameters": checked_count(extractor.parameter_count, name),
            "curves": checked_curves(extractor.curves, name),
            "notes": checked_notes(extractor.notes, name),
            "learning": checked_learning(extractor.learning, name),
        }
        with kept.fit.written() as folder:
            extractor.save(folder)
            write_json(folder / SAVED, facts)
        kept.drop_checkpoint()
        return extractor

    def _show(self, watch: Watch, extractor: Extractor, kept: KeptFit, done: int, epochs: int) -> None:
        """Let the watch see the embeddings, where the epochs done have just crossed a quarter."""
        crossed = [part for part in QUARTERS if (done - 1) / epochs < part <= done / epochs]
        if not crossed or done == epochs:
            return
        rows = {}
        for machine in kept.machines:
            table = self._table.select(machines=[machine])
            features = self._store.read(table, self._pipeline.frontend)
            with full_precision(self._plan.device):
                found = np.asarray(extractor.embed(table.blind_view(), self._context(features, kept.seed, None)))
            if not np.isfinite(found).all():
                return
            rows[machine] = found
        for part in crossed:
            watch(rows, part)

    def _training(self, clips: ClipTable, others: ClipTable, checkpoints: Path) -> Training:
        augmentations = {}
        for component in self._pipeline.augmentations:
            augmentation = component.build()
            on_waveforms = augmentation.works_on == "waveform"
            augmentation.rate_hz = self._built.sample_rate_hz if on_waveforms else self._built.frame_rate_hz
            augmentations[component.name] = augmentation
        identity = self._pipeline.identity()
        names = [names_of(clips)] if self._pipeline.by_name else []
        return Training(
            waveforms=TrainingWaveforms({clip.key: clip.path for clip in clips}, self._built),
            frontend=self._built,
            augmentations=augmentations,
            identity=digest([identity["frontend"], identity["augmentations"], *names]),
            views=self._plan.cache / "views",
            checkpoints=checkpoints,
            others=others.training_view(),
        )

    def _context(self, features: FeatureReader, seed: int, training: Training | None) -> Context:
        return Context(
            seed=seed,
            device=self._plan.device,
            jobs=self._jobs,
            progress=self._progress,
            features=features,
            frame_rate_hz=self._built.frame_rate_hz,
            training=training,
        )

    @property
    def _built(self) -> Any:
        if self._frontend is None:
            self._frontend = self._pipeline.frontend.build()
        return self._frontend

    def _embed(self, extractor: Extractor, machine: str, entry: Entry, seed: int) -> None:
        table = self._table.select(machines=[machine])
        clips = table.blind_view()
        features = self._store.read(table, self._pipeline.frontend)
        started = time.perf_counter()
        context = self._context(features, seed, None)
        with full_precision(self._plan.device):
            found = extractor.embed(clips, context)
        seconds = time.perf_counter() - started
        rows = checked_embeddings(found, len(clips), self._pipeline.extractor.name, machine)
        trained_on = {clip.key for clip in table.training_view()}
        if extractor.curves:
            self._refuse_collapsed(rows[[clip.key in trained_on for clip in clips]], machine)
        macs = multiply_accumulates(extractor, clips, context) if extractor.curves else None
        self._write_rows(rows, entry, {"embed": seconds, "macs": macs})

    def _write_rows(self, rows: NDArray[np.float32], entry: Entry, measured: dict[str, Any]) -> None:
        with entry.written() as folder:
            content = BytesIO()  # NumPy's own writing to a file does not say that the disk is full
            np.save(content, rows, allow_pickle=False)
            write_json(folder / MEASURED, measured)
            write_bytes(folder / ROWS, content.getvalue())

    def _refuse_collapsed(self, rows: NDArray[np.float32], machine: str) -> None:
        fault = collapse(rows)
        if fault:
            component = self._pipeline.extractor
            raise StageError(
                f"{component.name} collapsed on {machine}: {fault}. A lower learning rate or more training clips "
                f"usually mend it."
                + (f" See: asdbench show {component.name}" if "learning_rate" in component.params else "")
            )
