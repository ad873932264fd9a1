"""From the record of a run back to its recordings, features and embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError, RequirementError
from asdbench.core.paths import cache_root
from asdbench.core.progress import Progress, Silent
from asdbench.datasets import BlindClip, Dataset
from asdbench.datasets.clips import Source
from asdbench.harness.cells import Cell
from asdbench.harness.data import open_dataset
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.fits import Fit
from asdbench.harness.machine import available_cores
from asdbench.harness.plan import member_cells
from asdbench.harness.record import RunRecord, UsedComponent
from asdbench.registry import Catalog, Component, load_catalog


@dataclass(frozen=True)
class Replay:
    """What a run worked on. Nothing is trained again; features and embeddings that are missing are computed."""

    cell: Cell  # the run
    cache: Path  # its folder
    progress: Progress  # where the work is reported

    @property
    def dataset(self) -> Dataset:
        """The clips."""
        return self.cell.dataset

    def embeddings(self, machine: str) -> tuple[Sequence[BlindClip], NDArray[np.float32]]:
        """Clips and their embeddings (n, dim); of an ensemble the scores by its members.

        Raises:
            RequirementError: the trained extractor is no longer in the cache, or does not embed these clips.
        """
        self.require_fits(machine)
        embedded = EmbeddingStage(self.cell, self.cache, self.progress, available_cores()).run([machine])
        try:
            return self.dataset.blind(machine), embedded.of(machine)
        except AsdbenchError as error:
            raise RequirementError(f"There are no embeddings of {machine}: {error}") from error

    def fit(self, machine: str, member: Cell | None = None) -> Fit:
        """The trained extractor of a machine type, of an ensemble that of a member, and where it lies.

        Raises:
            RequirementError: it is no longer in the cache.
        """
        cell = member or self.cell
        fit = Fit(cell, cell.group_of(machine), self.cache)
        if not fit.is_trained:
            raise RequirementError(
                "The trained extractor is no longer in the cache, or damaged there.\n"
                "The command of the run, with --fresh, trains it and embeds the clips again."
            )
        return fit

    def require_fits(self, machine: str) -> None:
        """Make sure that the trained extractors of a machine type are there.

        Raises:
            RequirementError: one is no longer in the cache.
        """
        for member in self.cell.members or (self.cell,):
            self.fit(machine, member)


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
    dataset = open_dataset(_source(record), catalog, data_root, progress)
    if dataset.fingerprint != record.dataset.fingerprint:
        raise RequirementError(
            f"The recordings of {record.dataset.name} have changed since the run: {dataset.fingerprint[:8]} now, "
            f"{record.dataset.fingerprint[:8]} then."
        )
    cell = _cell(record, dataset, catalog)
    _refuse_changed_code(record, cell)
    return Replay(cell, cache_root(), progress)


def settled_component(kind: str, used: UsedComponent, catalog: Catalog) -> Component:
    """The component of a record, with its parameters.

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
    for param in component.files | used.files:
        if component.files.get(param) != used.files.get(param):
            raise RequirementError(
                f"{used.name}.{param} names {component.params[param]}, whose content is not that of the run any more."
            )
    return component


def _source(record: RunRecord) -> Source:
    asked = record.asked
    given = [(*key.rpartition(".")[::2], value) for key, value in asked.params.items()]
    params = tuple((param, value) for scope, param, value in given if scope in ("dataset", asked.dataset))
    return Source(asked.dataset, asked.split, tuple(asked.machines or ()), params)


def _cell(record: RunRecord, dataset: Dataset, catalog: Catalog) -> Cell:
    """The cell of a record; of an ensemble with its members."""
    shared = partial(
        Cell,
        dataset=dataset,
        seed=record.asked.seed,
        device=record.environment.device,
        threads=record.environment.threads or 1,
        profile=record.asked.profile,
    )
    extractor = settled_component("extractors", record.extractor, catalog)
    return shared(
        frontend=settled_component("frontends", record.frontend, catalog),
        augmentations=tuple(settled_component("augmentations", used, catalog) for used in record.augmentations),
        extractor=extractor,
        scorer=settled_component("scorers", record.scorer, catalog),
        system=record.asked.system,
        members=tuple(member_cells(extractor, shared)),
    )


def _refuse_changed_code(record: RunRecord, cell: Cell) -> None:
    """The code of third parties counts in a run's name; its authors change it without raising a version."""
    names = [part.name for one in cell.components for part in one.all_parts if part.home is not None]
    no_threads = record.environment.device == "cpu" and record.environment.threads is None  # of an old record
    if names and not no_threads and cell.run_id != record.run_id:
        raise RequirementError(
            f"The code of {' or '.join(dict.fromkeys(names))} has changed since the run, which it would not give "
            "again.\nPut the old code back, or run again."
        )
