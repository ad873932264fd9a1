"""Stage: fit the extractor where needed and embed every clip; both are kept in the cache."""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed, digest
from asdbench.core.errors import AsdbenchError
from asdbench.core.files import sweep, whole_file, whole_folder, write_json
from asdbench.core.locks import exclusive, lock_of
from asdbench.core.progress import Progress
from asdbench.datasets import ClipTable
from asdbench.extractors.base import Context, Extractor, Training
from asdbench.frontends.pack import FeatureReader
from asdbench.frontends.store import FeatureStore
from asdbench.frontends.waveforms import TrainingWaveforms
from asdbench.harness.collapse import collapse
from asdbench.harness.complexity import multiply_accumulates
from asdbench.harness.failures import recorded
from asdbench.harness.machine import torch_threads
from asdbench.harness.plan import Cell, Plan
from asdbench.harness.record import Failure, TrainedNetwork

SAVED = "fit.json"
FORMAT = 3  # of what is kept beside a fitted extractor; raised when it changes


class StageError(AsdbenchError):
    """A stage that gave nothing usable."""


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
    """

    def __init__(self, plan: Plan, cell: Cell, progress: Progress, jobs: int | None = None) -> None:
        self._plan = plan
        self._table = cell.data.table
        self._pipeline = cell.pipeline
        self._base_seed = cell.seed
        self._progress = progress
        self._jobs = jobs or plan.cores
        self._store = FeatureStore(plan.cache / "features", self._jobs, progress)
        self._frontend: Any = None
        self._known_places: dict[tuple[str, ...], tuple[Path, dict[str, Path]]] = {}

    @property
    def groups(self) -> list[list[str]]:
        """Machine types that share a fit."""
        machines = self._table.machines
        return [machines] if self._pipeline.trained_once else [[machine] for machine in machines]

    def is_embedded(self, machines: list[str]) -> bool:
        """Whether the fit of a group and all its embeddings are in the cache."""
        trained, files = self._places(machines)
        return all(path.is_file() for path in [trained / SAVED, *files.values()])

    def is_trained(self, machines: list[str]) -> bool:
        """Whether the fit of a group is in the cache."""
        return (self._places(machines)[0] / SAVED).is_file()

    def forget(self, machines: list[str]) -> None:
        """Remove the fit of a group and its embeddings from the cache."""
        trained, files = self._places(machines)
        with exclusive(lock_of(trained), on_wait=self._tell_wait):
            for path in files.values():
                path.unlink(missing_ok=True)
            for folder in (trained, _checkpoint(trained)):
                shutil.rmtree(folder, ignore_errors=True)

    def prepare_features(self) -> None:
        """Decode every recording, so that bad ones are told before anything is trained, and all together."""
        self._store.read(self._table, self._pipeline.frontend)

    def compute(self, machines: list[str], *, wait: bool = True) -> list[Failure]:
        """Fit and embed a group; what is in the cache is left as it is.

        Returns:
            Why embeddings of machine types are missing; empty when all are there.

        Raises:
            BusyError: another process is at it, and ``wait`` is false.
        """
        failures: list[Failure] = []
        trained, files = self._places(machines)
        with recorded(failures, "fit", None if self._pipeline.trained_once else machines[0]):
            if self.is_embedded(machines):
                return failures
            with exclusive(lock_of(trained), wait=wait, on_wait=self._tell_wait):
                for path in (trained, *files.values(), *(path.with_suffix(".json") for path in files.values())):
                    sweep(path)
                if self.is_embedded(machines):
                    return failures
                with torch_threads(self._plan.spec.threads):
                    seed = self._seed(machines)
                    extractor = self._fitted(self._table.select(machines=machines), trained, seed)
                    for machine, path in files.items():
                        if not path.is_file():
                            with recorded(failures, "embed", machine):
                                self._embed(extractor, machine, path, seed)
        return failures

    def run(self, failures: Sequence[Failure] = (), groups: Sequence[list[str]] | None = None) -> Embedded:
        """Embeddings of all groups, or of some: what is in the cache is read, the rest computed.

        What failed before, as ``failures`` say, is not tried again.
        """
        done = Embedded(failures=list(failures))
        for group in self.groups if groups is None else groups:
            if not any(failure.stage == "fit" and failure.machine in (None, group[0]) for failure in failures):
                if not any(failure.machine in group for failure in failures):
                    done.failures += self.compute(group)
                self._read(group, done)
        return done

    def _read(self, machines: list[str], done: Embedded) -> None:
        trained, files = self._places(machines)
        there = {machine: path for machine, path in files.items() if path.is_file()}
        for machine, path in there.items():
            done.rows[machine] = np.load(path, allow_pickle=False)
            measured = json.loads(path.with_suffix(".json").read_text())
            _add_seconds(done.seconds, {"embed": measured["embed"]})
            if measured.get("macs") is not None:
                done.macs[machine] = measured["macs"]
        if not (trained / SAVED).is_file():
            return
        facts = json.loads((trained / SAVED).read_text())
        _add_seconds(done.seconds, {"fit": facts["seconds"]})
        done.notes += [note for note in facts["notes"] if note not in done.notes]
        if facts["curves"]:
            counted = [done.macs[machine] for machine in machines if machine in done.macs]
            network = TrainedNetwork(
                machines=machines,
                parameters=facts["parameters"],
                curves=facts["curves"],
                macs=max(counted, default=None),
            )
            done.training.append(network)

    def _places(self, machines: list[str]) -> tuple[Path, dict[str, Path]]:
        """Where a group's fit and its embeddings by machine type are kept."""
        key = tuple(machines)
        if key not in self._known_places:
            trained = self._plan.cache / "trained" / self._fit_digest(machines)
            files = {machine: self._embedding_file(trained.name, machine) for machine in machines}
            self._known_places[key] = trained, files
        return self._known_places[key]

    def _tell_wait(self) -> None:
        name = self._pipeline.extractor.name
        self._progress.note(f"{name}, seed {self._base_seed}: another process is training the same; waiting for it.")

    def _seed(self, machines: list[str]) -> int:
        name = self._pipeline.extractor.name
        place = [] if self._pipeline.trained_once else machines
        return derive_seed(self._base_seed, "extractor", name, *place)

    def _fit_digest(self, machines: list[str]) -> str:
        table, seed = self._table.select(machines=machines), self._seed(machines)
        clips, others = (
            [[clip.machine, clip.section, clip.domain, clip.attributes, clip.key] for clip in view]
            for view in (table.training_view(), self._others(table).training_view())
        )
        return digest([FORMAT, self._pipeline.identity("fit"), clips, others, seed, self._plan.numerics], 24)

    def _others(self, table: ClipTable) -> ClipTable:
        """Training clips of machine types outside the table, where the extractor may use them; else none."""
        wanted = self._pipeline.trained_among_others
        others = [machine for machine in self._table.machines if wanted and machine not in table.machines]
        return self._table.select(machines=others, split="train")

    def _embedding_file(self, fit_digest: str, machine: str) -> Path:
        clips = [[clip.section, clip.key] for clip in self._table.select(machines=[machine]).blind_view()]
        read = self._pipeline.extractor.params  # with those that affect the embedding alone
        return self._plan.cache / "embeddings" / f"{digest([fit_digest, read, machine, clips], 24)}.npy"

    def _fitted(self, table: ClipTable, trained: Path, seed: int) -> Extractor:
        extractor: Extractor = self._pipeline.extractor.build()
        if (trained / SAVED).is_file():
            extractor.load(trained)
            extractor.curves = json.loads((trained / SAVED).read_text())["curves"]
            return extractor
        training_clips, others = table.select(split="train"), self._others(table)
        machines = [*training_clips.machines, *others.machines]
        features = self._store.read(self._table.select(machines=machines, split="train"), self._pipeline.frontend)
        context = self._context(features, seed, self._training(training_clips, others, _checkpoint(trained)))
        started = time.perf_counter()
        extractor.fit(training_clips.training_view(), context)
        seconds = time.perf_counter() - started
        with whole_folder(trained) as folder:
            extractor.save(folder)
            facts = {
                "seconds": round(seconds, 3),
                "parameters": extractor.parameter_count,
                "curves": {name: list(curve) for name, curve in extractor.curves.items()},
                "notes": list(extractor.notes),
            }
            write_json(folder / SAVED, facts)
        shutil.rmtree(_checkpoint(trained), ignore_errors=True)
        return extractor

    def _training(self, clips: ClipTable, others: ClipTable, checkpoints: Path) -> Training:
        augmentations = {}
        for component in self._pipeline.augmentations:
            augmentation = component.build()
            on_waveforms = augmentation.works_on == "waveform"
            augmentation.rate_hz = self._built.sample_rate_hz if on_waveforms else self._built.frame_rate_hz
            augmentations[component.name] = augmentation
        identity = self._pipeline.identity()
        return Training(
            waveforms=TrainingWaveforms({clip.key: clip.path for clip in clips}, self._built),
            frontend=self._built,
            augmentations=augmentations,
            identity=digest([identity["frontend"], identity["augmentations"]]),
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

    def _embed(self, extractor: Extractor, machine: str, path: Path, seed: int) -> None:
        table = self._table.select(machines=[machine])
        clips = table.blind_view()
        features = self._store.read(table, self._pipeline.frontend)
        started = time.perf_counter()
        context = self._context(features, seed, None)
        rows = np.asarray(extractor.embed(clips, context))
        seconds = time.perf_counter() - started
        self._refuse_unusable(rows, len(clips), machine)
        trained_on = {clip.key for clip in table.training_view()}
        if extractor.curves:
            self._refuse_collapsed(rows[[clip.key in trained_on for clip in clips]], machine)
        with whole_file(path.with_suffix(".json")) as file:
            macs = multiply_accumulates(extractor, clips, context) if extractor.curves else None
            file.write(json.dumps({"embed": seconds, "macs": macs}).encode())
        with whole_file(path) as file:
            np.save(file, rows, allow_pickle=False)

    def _refuse_collapsed(self, rows: NDArray[np.float32], machine: str) -> None:
        fault = collapse(rows)
        if fault:
            component = self._pipeline.extractor
            raise StageError(
                f"{component.name} collapsed on {machine}: {fault}. A lower learning rate or more training clips "
                f"usually mend it."
                + (f" See: asdbench show {component.name}" if "learning_rate" in component.params else "")
            )

    def _refuse_unusable(self, rows: NDArray[Any], clips: int, machine: str) -> None:
        name = self._pipeline.extractor.name
        if rows.ndim != 2 or len(rows) != clips or rows.dtype != np.float32:
            raise StageError(
                f"{name} gave embeddings {rows.dtype} {rows.shape} for {clips} clips of {machine}; "
                f"the contract is float32 ({clips}, dim)."
            )
        bad = int(np.sum(~np.isfinite(rows).all(axis=1)))
        if bad:
            raise StageError(f"{name} gave embeddings that are not finite for {bad} of {clips} clips of {machine}.")


def _checkpoint(trained: Path) -> Path:
    return trained.with_suffix(".checkpoint")


def _add_seconds(total: dict[str, float], more: dict[str, float]) -> None:
    for stage, seconds in more.items():
        total[stage] = total.get(stage, 0.0) + seconds
