"""From what was asked to the cells that are run."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from asdbench.core.errors import UsageError
from asdbench.core.files import require_writable
from asdbench.core.paths import cache_root
from asdbench.core.progress import Progress
from asdbench.datasets import Dataset
from asdbench.datasets.clips import Source
from asdbench.harness.cells import Cell
from asdbench.harness.data import is_folder, open_card, open_challenge, open_folder
from asdbench.harness.machine import available_cores, resolve_device
from asdbench.harness.request import Scopes, Stages, asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.protocols import require_scorable
from asdbench.registry import Catalog, Component, load_catalog
from asdbench.registry.ensembles import Ensemble
from asdbench.score_files.files import file_name

LONGEST_FILE_NAME = 255  # bytes, on nearly every file system
TEMPORARY_AFFIXES = len("..12345678.partial")


@dataclass(frozen=True)
class Plan:
    """All runs of one command: data set by data set, pipeline by pipeline, seed by seed.

    Attributes:
        spec: what was asked.
        device: "cpu" or "cuda".
        cores: that this process may use.
        cache: its folder.
        datasets: opened.
        cells: the runs.
        warnings: of the registry.
    """

    spec: RunSpec
    device: str
    cores: int
    cache: Path
    datasets: tuple[Dataset, ...]
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...]

    @property
    def asked(self) -> list[Cell]:
        """The runs that were asked for; members of ensembles are not, unless they were named themselves."""
        return [cell for cell in self.cells if not cell.implied]


def make_plan(spec: RunSpec, progress: Progress) -> Plan:
    """Settle names and parameters, open the data sets, name every run.

    Everything that can be refused without reading recordings is refused first.

    Raises:
        UsageError: a name, a parameter or an option that does not exist or lies out of range.
        RequirementError: data or a GPU is missing.
    """
    catalog = load_catalog(spec.plugin_path)
    wanted = asked_stages(spec, catalog)
    sources = [_Source(name, spec, catalog) for name in spec.dataset]
    if len(set(spec.dataset)) < len(sources):
        raise UsageError(f"--dataset names the same one twice: {', '.join(spec.dataset)}.")
    if (spec.split or spec.data_root) and not any(source.challenge for source in sources):
        names = ", ".join(f"'{name}'" for name in spec.dataset)
        raise UsageError(
            f"--{'split' if spec.split else 'data-root'}: {names} is not the data set of a challenge, so there is "
            "nothing to pick.\nSee: asdbench list datasets"
        )
    scopes = Scopes(spec, catalog, wanted, [source.name for source in sources if source.made])
    for stages in wanted:  # refuses wrong parameters
        _parts(scopes, stages, None)
    for source in sources:
        source.settle(scopes)
    scorers = {
        (stages.system, stages.extractor): [scopes.component("scorers", name, stages) for name in stages.scorers]
        for stages in wanted
    }
    device = _device(spec, progress)
    cores = available_cores()
    require_writable(spec.out, "--out DIR")
    cache = cache_root()
    if not cache.is_dir():
        require_writable(cache)  # one that is there may be a colleague's, who lets others read

    datasets, cells = [], []
    for source in sources:
        dataset = source.open(cache, cores, progress)
        require_scorable(dataset)
        _require_short_names(dataset)
        datasets.append(dataset)
        cells += _cells(dataset, spec, scopes, wanted, scorers, device)
    return Plan(spec, device, cores, cache, tuple(datasets), tuple(cells), tuple(catalog.warnings))


def replan(plan: Plan, spec: RunSpec, catalog: Catalog) -> Plan:
    """Other runs on the recordings of a plan that are open already; ``spec`` names the same data sets.

    Raises:
        UsageError: a name or a parameter that does not exist or lies out of range.
    """
    cells = [cell for dataset in plan.datasets for cell in cells_of(dataset, spec, catalog, plan.device)]
    return replace(plan, spec=spec, cells=tuple(cells), warnings=())


def cells_of(dataset: Dataset, spec: RunSpec, catalog: Catalog, device: str) -> list[Cell]:
    """The runs of a command on one data set that is open.

    Raises:
        UsageError: a name or a parameter that does not exist or lies out of range.
    """
    wanted = asked_stages(spec, catalog)
    made = [name for name in spec.dataset if not is_folder(name, catalog) and _Source(name, spec, catalog).made]
    scopes = Scopes(spec, catalog, wanted, made)
    scorers = {
        (stages.system, stages.extractor): [scopes.component("scorers", name, stages) for name in stages.scorers]
        for stages in wanted
    }
    return _cells(dataset, spec, scopes, wanted, scorers, device)


class _Source:
    """What one ``--dataset`` names: a folder, a challenge's data, or recordings that a card makes."""

    def __init__(self, name: str, spec: RunSpec, catalog: Catalog) -> None:
        self.name = name
        self._spec = spec
        self._catalog = catalog
        folder = is_folder(name, catalog)
        self.challenge = not folder and catalog.find("datasets", name).challenge is not None
        self.made = not folder and not self.challenge
        self._component: Component | None = None

    def settle(self, scopes: Scopes) -> None:
        """Settle the parameters of the card."""
        if self.made:
            self._component = scopes.component("datasets", self.name)

    def open(self, cache: Path, cores: int, progress: Progress) -> Dataset:
        """Read the table of clips; recordings that are not there yet are made."""
        machines, split = self._spec.machine, self._spec.split if self.challenge else None
        given: dict[str, Any] = {}
        if self.challenge:
            root = self._spec.data_root
            dataset = open_challenge(self.name, self._catalog, split, root, cache, machines, progress)
        elif self._component is None:
            dataset = open_folder(self.name, cache, machines, progress)
        else:
            dataset = open_card(self._component, cache, cores, progress, machines)
            usual = self._catalog.component("datasets", self.name).params
            given = {key: value for key, value in self._component.params.items() if value != usual[key]}
        return replace(dataset, source=Source(self.name, split, tuple(machines), tuple(given.items())))


def _cells(
    dataset: Dataset,
    spec: RunSpec,
    scopes: Scopes,
    wanted: Sequence[Stages],
    scorers: Mapping[tuple[str | None, str], Sequence[Component]],
    device: str,
) -> list[Cell]:
    """The runs on one data set, those of an ensemble's members before its own.

    Systems that share all but the scorer stand together, so that what they share is trained and read once.
    """
    cells: dict[str, Cell] = {}
    for stages in sorted(wanted, key=lambda one: one.is_ensemble):  # so that a member that is asked for itself is known
        profile = scopes.profile(stages, len(dataset.select(split="train")))
        extractor, frontend, augmentations = _parts(scopes, stages, profile)
        for seed in dict.fromkeys(spec.seed):
            shared = partial(
                Cell,
                dataset=dataset,
                seed=seed,
                device=device,
                threads=spec.threads,
                profile=profile,
                given=dict(spec.params),
            )
            members = []
            for one in extractor.members if isinstance(extractor, Ensemble) else []:
                cell = shared(
                    frontend=one.frontend,
                    augmentations=one.augmentations,
                    extractor=one.extractor,
                    scorer=one.scorer,
                    implied=True,
                )
                members.append(cells.setdefault(cell.run_id, cell))
            for scorer in scorers[stages.system, stages.extractor]:
                cell = shared(
                    frontend=frontend,
                    augmentations=augmentations,
                    extractor=extractor,
                    scorer=scorer,
                    system=stages.system,
                    members=tuple(members),
                )
                cells.setdefault(cell.run_id, cell)
    together = {key: place for place, key in enumerate(dict.fromkeys(cell.sharing for cell in cells.values()))}
    seeds = list(dict.fromkeys(spec.seed))
    return sorted(cells.values(), key=lambda cell: (together[cell.sharing], seeds.index(cell.seed)))


def _device(spec: RunSpec, progress: Progress) -> str:
    """Of this machine, or of a cluster's nodes."""
    if spec.engine == "local":
        return resolve_device(spec.device)
    from asdbench.harness.cluster.joining import cluster_device

    return cluster_device(spec.device, progress)


def _parts(scopes: Scopes, stages: Stages, profile: str | None) -> tuple[Component, Component, tuple[Component, ...]]:
    """The extractor, its front end (of an ensemble that of the first member), and augmentations."""
    extractor = scopes.component("extractors", stages.extractor, stages, profile)
    if isinstance(extractor, Ensemble):
        frontend = extractor.members[0].frontend
    else:
        frontend = scopes.component("frontends", stages.frontend, stages)
    return extractor, frontend, tuple(scopes.component("augmentations", name, stages) for name in stages.augmentations)


def _require_short_names(table: Dataset) -> None:
    """Refuse machine types whose score files would have longer names than file systems take, before any work."""
    for machine in table.machines:
        sections = {clip.section for clip in table if clip.machine == machine} | {"00"}
        names = (file_name("decision_result", table.layout, machine, section, "source") for section in sections)
        longest = max((len(os.fsencode(name)) for name in names), default=0)
        if longest + TEMPORARY_AFFIXES > LONGEST_FILE_NAME:
            raise UsageError(
                f"The machine type '{machine[:40]}...' of {table.name} has too long a name: its score files would have "
                f"names of {longest} bytes, and up to {LONGEST_FILE_NAME - TEMPORARY_AFFIXES} can be written.\n"
                "Give its folder a shorter name."
            )
