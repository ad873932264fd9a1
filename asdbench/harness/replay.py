"""From the record of a run back to its recordings, features and embeddings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import RequirementError
from asdbench.core.progress import Progress, Silent
from asdbench.datasets import BlindClip, ClipTable
from asdbench.frontends.pack import FeatureReader
from asdbench.frontends.store import FeatureStore
from asdbench.harness.cache import cache_root
from asdbench.harness.data import is_folder, open_card, open_challenge, open_folder
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.kept import Embedded, KeptFit
from asdbench.harness.machine import available_cores
from asdbench.harness.plan import Cell, Pipeline, Plan, Recordings, run_id
from asdbench.harness.record import RunRecord, UsedComponent
from asdbench.harness.spec import RunSpec
from asdbench.registry import Catalog, Component, load_catalog
from asdbench.registry.composites import Composite


@dataclass(frozen=True)
class Replay:
    """What a run worked on. Nothing is trained again; features and embeddings that are missing are computed."""

    table: ClipTable
    frontend: Component
    _plan: Plan
    _progress: Progress

    def embeddings(self, machine: str) -> tuple[Sequence[BlindClip], NDArray[np.float32]]:
        """Clips and their embeddings (n, dim).

        Raises:
            RequirementError: the trained extractor is no longer in the cache, or does not embed these clips.
        """
        kept = self.fit(machine)
        (cell,) = self._plan.cells
        failures = EmbeddingStage(self._plan, cell, self._progress).compute(kept.machines)
        found = Embedded()
        try:
            kept.read_into(found, [machine])
        except FileNotFoundError as error:
            reason = next((failure.reason for failure in failures), "they are not in the cache")
            raise RequirementError(f"There are no embeddings of {machine}: {reason}") from error
        return self.table.select(machines=[machine]).blind_view(), found.rows[machine]

    def fit(self, machine: str) -> KeptFit:
        """The trained extractor of a machine type, and where it lies.

        Raises:
            RequirementError: it is no longer in the cache.
        """
        (cell,) = self._plan.cells
        kept = KeptFit(self._plan, cell, next(group for group in cell.groups if machine in group))
        if not kept.is_trained:
            raise RequirementError(
                "The trained extractor is no longer in the cache, or damaged there.\n"
                "The command of the run, with --fresh, trains it and embeds the clips again."
            )
        return kept

    def features(self, machine: str) -> FeatureReader:
        """Features of the machine type's clips."""
        store = FeatureStore(self._plan.cache / "features", self._plan.cores, self._progress)
        return store.read(self.table.select(machines=[machine]), self.frontend)


def reopen(
    record: RunRecord,
    *,
    data_root: Path | None = None,
    plugin_path: Sequence[Path] = (),
    progress: Progress | None = None,
) -> Replay:
    """Open what the run of a record worked on.

    Raises:
        RequirementError: the recordings, or a component, are not there any more or have changed since; of a third
            party's component also its code.
        UsageError: a name of the record means nothing here.
    """
    progress = progress or Silent()
    catalog = load_catalog(plugin_path)
    cache, cores = cache_root(), available_cores()
    table = _table(record, catalog, data_root, cache, cores, progress)
    if table.fingerprint != record.dataset.fingerprint:
        raise RequirementError(
            f"The recordings of {record.dataset.name} have changed since the run: {table.fingerprint[:8]} now, "
            f"{record.dataset.fingerprint[:8]} then."
        )
    pipeline = Pipeline(
        extractor=settled_component("extractors", record.extractor, catalog),
        frontend=settled_component("frontends", record.frontend, catalog),
        augmentations=tuple(settled_component("augmentations", part, catalog) for part in record.augmentations),
        profile=record.asked.profile,
    )
    data = Recordings(record.asked.dataset, record.asked.split, table, record.results is not None)
    scorer = settled_component("scorers", record.scorer, catalog)
    _refuse_changed_code(record, pipeline, scorer, table)
    cell = Cell(record.asked.system, data, pipeline, scorer, record.asked.seed, record.run_id)
    spec = RunSpec(threads=record.environment.threads or 1)
    plan = Plan(spec, record.environment.device, cores, cache, (data,), (cell,), ())
    return Replay(table, pipeline.frontend, plan, progress)


def _refuse_changed_code(record: RunRecord, pipeline: Pipeline, scorer: Component, table: ClipTable) -> None:
    """The code of third parties counts in a run's name; its authors change it without raising a version."""
    used = [pipeline.extractor, pipeline.frontend, *pipeline.augmentations, scorer]
    strange = [part.name for one in used for part in _with_parts(one) if part.home is not None]
    device, threads = record.environment.device, record.environment.threads
    if not strange or (device == "cpu" and threads is None):
        return
    numerics = [device, threads] if device == "cpu" else [device]
    now = run_id(record.asked.system, pipeline, scorer, table, record.asked.seed, numerics)
    if now != record.run_id:
        raise RequirementError(
            f"The code of {' or '.join(dict.fromkeys(strange))} has changed since the run, which it would not give "
            "again.\nPut the old code back, or run again."
        )


def _with_parts(component: Component) -> Iterator[Component]:
    """The component, and its parts where it is composed of some, which may be composed in turn."""
    yield component
    for part in component.parts if isinstance(component, Composite) else ():
        yield from _with_parts(part)


def _table(
    record: RunRecord, catalog: Catalog, root: Path | None, cache: Path, cores: int, progress: Progress
) -> ClipTable:
    asked = record.asked
    machines = asked.machines or ()
    if is_folder(asked.dataset, catalog):
        return open_folder(asked.dataset, cache, machines, progress)
    if catalog.find("datasets", asked.dataset).challenge is not None:
        return open_challenge(asked.dataset, catalog, asked.split, root, cache, machines, progress)
    given: dict[str, Any] = {}
    for key, value in asked.params.items():
        scope, _, param = key.rpartition(".")
        if scope in ("dataset", asked.dataset):
            given[param] = value
    component = catalog.component("datasets", asked.dataset).altered(given)
    return open_card(component, cache, cores, progress, machines)


def settled_component(kind: str, used: UsedComponent, catalog: Catalog) -> Component:
    """The component that a record tells of, with its parameters.

    Raises:
        UsageError: there is none of that name, or it does not take these parameters.
        RequirementError: it is another one now.
    """
    component = catalog.component(kind, used.name).altered(used.params)
    if component.card.version != used.version or component.card.target != used.target:
        raise RequirementError(
            f"{used.name} has changed since the run: version {component.card.version} of {component.card.target} now, "
            f"version {used.version} of {used.target} then."
        )
    if used.libraries and component.libraries != used.libraries:
        now, then = (" and ".join(map(" ".join, one.libraries.items())) for one in (component, used))
        raise RequirementError(
            f"{used.name} is computed by {now} now, and was by {then} in the run: it may give other numbers.\n"
            "Install the versions of the run, or run again."
        )
    if component.files != used.files:
        changed = next(
            name for name in component.files | used.files if component.files.get(name) != used.files.get(name)
        )
        raise RequirementError(
            f"{used.name}.{changed} names {component.params[changed]}, whose content is not that of the run any more."
        )
    return component
