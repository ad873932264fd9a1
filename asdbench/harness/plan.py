"""From what was asked to the cells that are run."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.core.files import require_writable
from asdbench.core.progress import Progress
from asdbench.datasets import ClipTable
from asdbench.frontends.store import by_name
from asdbench.harness.cache import cache_root
from asdbench.harness.data import is_folder, open_card, open_challenge, open_folder
from asdbench.harness.machine import available_cores, resolve_device
from asdbench.harness.request import Scopes, Stages, asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.protocols import require_scorable
from asdbench.registry import Catalog, Component, load_catalog
from asdbench.registry.cards import ExtractorCard
from asdbench.registry.ensembles import Ensemble
from asdbench.score_files.names import file_name

LONGEST = 128  # characters of the readable part of an id; ids of this length are on boards
SHORT_NAME, SHORT_DATASET = 48, 32  # of one that is shortened
LONGEST_FILE_NAME = 255  # bytes, on nearly every file system
TEMPORARY_AFFIXES = len("..12345678.partial")


@dataclass(frozen=True)
class Pipeline:
    """An extractor with all that feeds it."""

    extractor: Component
    frontend: Component
    augmentations: tuple[Component, ...]
    profile: str | None

    @property
    def trained_once(self) -> bool:
        """Whether one fit serves all machine types."""
        assert isinstance(self.extractor.card, ExtractorCard)
        return self.extractor.card.fit_on == "dataset"

    @property
    def trained_among_others(self) -> bool:
        """Whether the fit for one machine type may use the training clips of the others."""
        assert isinstance(self.extractor.card, ExtractorCard)
        return self.extractor.card.fit_on == "machine-among-others"

    @property
    def members(self) -> list[tuple["Pipeline", Component]]:
        """Of an ensemble the pipeline and the scorer of each member; empty for any other extractor."""
        members = self.extractor.members if isinstance(self.extractor, Ensemble) else []
        return [(Pipeline(one.extractor, one.frontend, one.augmentations, self.profile), one.scorer) for one in members]

    @property
    def frontends(self) -> list[Component]:
        """Front ends whose features are wanted."""
        return [member.frontend for member, _ in self.members] or [self.frontend]

    @property
    def by_name(self) -> bool:
        """Whether features are looked up by the clips' names, which then decide fits and embeddings too."""
        return any(by_name(frontend) for frontend in self.frontends)

    def identity(self, stage: Literal["fit", "embed"] = "embed") -> dict[str, Any]:
        """All that decides a fit, or the embeddings, besides clips, seed and device."""
        return {
            "extractor": self.extractor.identity(stage),
            "frontend": self.frontend.identity(),
            "augmentations": [[part.name, part.identity()] for part in self.augmentations],
        }


@dataclass(frozen=True)
class Recordings:
    """One data set of the command. ``asked`` is the card's name or the folder, as given; ``split`` a challenge's."""

    asked: str
    split: str | None
    table: ClipTable
    labelled: bool


@dataclass(frozen=True)
class Cell:
    """One run to be done.

    Attributes:
        system: the card that composed it, if one did.
        data: recordings.
        pipeline: the extractor with what feeds it.
        scorer: the scorer.
        seed: base seed.
        run_id: readable beginning, and the digest of all that the run depends on.
        given: parameters given by hand in its command, 'component.param': value.
    """

    system: str | None
    data: Recordings
    pipeline: Pipeline
    scorer: Component
    seed: int
    run_id: str
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def groups(self) -> list[list[str]]:
        """Machine types that share a fit."""
        machines = self.data.table.machines
        return [machines] if self.pipeline.trained_once else [[machine] for machine in machines]

    @property
    def name(self) -> str:
        """How people call it: the system, or extractor and scorer."""
        return self.system or f"{self.pipeline.extractor.name} + {self.scorer.name}"


@dataclass(frozen=True)
class Plan:
    """All runs of one command: data set by data set, pipeline by pipeline, seed by seed.

    Attributes:
        spec: what was asked.
        device: "cpu" or "cuda".
        cores: that this process may use.
        cache: its folder.
        recordings: the data sets.
        cells: the runs.
        warnings: of the registry.
    """

    spec: RunSpec
    device: str
    cores: int
    cache: Path
    recordings: tuple[Recordings, ...]
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...]

    @property
    def numerics(self) -> list[Any]:
        """What of the machine decides numbers: sums on a CPU depend on how many threads share them."""
        return _numerics(self.spec, self.device)


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
        _pipeline(scopes, stages, None)
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

    recordings, cells = [], []
    for source in sources:
        data = source.open(cache, cores, progress)
        _require_short_names(data.table)
        recordings.append(data)
        cells += _cells(data, spec, scopes, wanted, scorers, device)
    return Plan(spec, device, cores, cache, tuple(recordings), tuple(cells), tuple(catalog.warnings))


def replan(plan: Plan, spec: RunSpec, catalog: Catalog) -> Plan:
    """Other runs on the recordings of a plan that are open already; ``spec`` names the same data sets.

    Raises:
        UsageError: a name or a parameter that does not exist or lies out of range.
    """
    cells = [cell for data in plan.recordings for cell in cells_of(data, spec, catalog, plan.device)]
    return replace(plan, spec=spec, cells=tuple(cells), warnings=())


def cells_of(data: Recordings, spec: RunSpec, catalog: Catalog, device: str) -> list[Cell]:
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
    return _cells(data, spec, scopes, wanted, scorers, device)


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

    def open(self, cache: Path, cores: int, progress: Progress) -> Recordings:
        """Read the table of clips; recordings that are not there yet are made."""
        machines = self._spec.machine
        if self.challenge:
            spec = self._spec
            table = open_challenge(self.name, self._catalog, spec.split, spec.data_root, cache, machines, progress)
        elif self._component is None:
            table = open_folder(self.name, cache, machines, progress)
        else:
            table = open_card(self._component, cache, cores, progress, machines)
        split = self._spec.split if self.challenge else None
        return Recordings(self.name, split, table, require_scorable(table))


def _cells(
    data: Recordings,
    spec: RunSpec,
    scopes: Scopes,
    wanted: Sequence[Stages],
    scorers: Mapping[tuple[str | None, str], Sequence[Component]],
    device: str,
) -> list[Cell]:
    """The runs on one data set. Systems that share all but the scorer share one pipeline, trained and read once."""
    pipelines: dict[str, Pipeline] = {}
    members: dict[str, list[tuple[str | None, Component]]] = {}
    for stages in wanted:
        pipeline = _pipeline(scopes, stages, scopes.profile(stages, len(data.table.training_view())))
        key = digest([pipeline.extractor.name, pipeline.identity()])
        pipelines.setdefault(key, pipeline)
        members.setdefault(key, []).extend(
            (stages.system, scorer) for scorer in scorers[stages.system, stages.extractor]
        )
    numerics = _numerics(spec, device)
    return [
        Cell(
            system,
            data,
            pipeline,
            scorer,
            seed,
            run_id(system, pipeline, scorer, data.table, seed, numerics),
            dict(spec.params),
        )
        for key, pipeline in pipelines.items()
        for seed in dict.fromkeys(spec.seed)
        for system, scorer in members[key]
    ]


def _device(spec: RunSpec, progress: Progress) -> str:
    """Of this machine, or of a cluster's nodes."""
    if spec.engine == "local":
        return resolve_device(spec.device)
    from asdbench.harness.cluster.joining import cluster_device

    return cluster_device(spec.device, progress)


def _numerics(spec: RunSpec, device: str) -> list[Any]:
    return [device, spec.threads] if device == "cpu" else [device]


def _pipeline(scopes: Scopes, stages: Stages, profile: str | None) -> Pipeline:
    """The extractor with its front end, of an ensemble that of the first member, and augmentations."""
    extractor = scopes.component("extractors", stages.extractor, stages, profile)
    if isinstance(extractor, Ensemble):
        frontend = extractor.members[0].frontend
    else:
        frontend = scopes.component("frontends", stages.frontend, stages)
    return Pipeline(
        extractor=extractor,
        frontend=frontend,
        augmentations=tuple(scopes.component("augmentations", name, stages) for name in stages.augmentations),
        profile=profile,
    )


def run_id(
    system: str | None, pipeline: Pipeline, scorer: Component, table: ClipTable, seed: int, numerics: list[Any]
) -> str:
    """Readable beginning, and the digest of all that the run depends on."""
    depends: dict[str, Any] = {
        **pipeline.identity(),
        "scorer": scorer.identity(),
        "clips": table.fingerprint,
        "protocol": table.protocol,
        "seed": seed,
        "device": numerics,
        "names": [pipeline.extractor.name, scorer.name],  # seeds derive from them
    }
    name = system or f"{pipeline.extractor.name}-{scorer.name}"
    whole = f"{_plain(name)}-{_plain(table.name)}-s{seed}"
    # Of a name that cannot be read from the id, the digest must tell it from others.
    if _plain(table.name) != table.name or len(whole) > LONGEST:
        depends["dataset"] = table.name
    if system is not None and (_plain(system) != system or len(whole) > LONGEST):
        depends["system"] = system
    if len(whole) > LONGEST:
        whole = f"{_plain(name)[:SHORT_NAME]}-{_plain(table.name)[:SHORT_DATASET]}-s{seed}"[:LONGEST]
    return f"{whole}-{digest(depends, 10)}"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", ".", name)


def _require_short_names(table: ClipTable) -> None:
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
