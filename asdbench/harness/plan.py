"""From what was asked to the cells that are run."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.core.files import require_writable
from asdbench.core.progress import Progress
from asdbench.datasets import ClipTable
from asdbench.harness.cache import cache_root
from asdbench.harness.data import is_folder, open_card, open_challenge, open_folder
from asdbench.harness.machine import available_cores, resolve_device
from asdbench.harness.request import Scopes, Stages, asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.protocols import require_scorable
from asdbench.registry import Component, load_catalog
from asdbench.registry.cards import ExtractorCard


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

    def identity(self, stage: Literal["fit", "embed"] = "embed") -> dict[str, Any]:
        """All that decides a fit, or the embeddings, besides clips, seed and device."""
        return {
            "extractor": self.extractor.identity(stage),
            "frontend": self.frontend.identity(),
            "augmentations": [[part.name, part.identity()] for part in self.augmentations],
        }


@dataclass(frozen=True)
class Cell:
    """One run to be done. ``system`` is the card that composed it, if one did."""

    system: str | None
    pipeline: Pipeline
    scorer: Component
    seed: int
    run_id: str

    @property
    def name(self) -> str:
        """How people call it: the system, or extractor and scorer."""
        return self.system or f"{self.pipeline.extractor.name} + {self.scorer.name}"


@dataclass(frozen=True)
class Plan:
    """All runs of one command, pipeline by pipeline and seed by seed."""

    spec: RunSpec
    table: ClipTable
    labelled: bool
    device: str
    jobs: int
    cache: Path
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...]


def make_plan(spec: RunSpec, progress: Progress) -> Plan:
    """Settle names and parameters, open the data set, name every run.

    Everything that can be refused without reading recordings is refused first.

    Raises:
        UsageError: a name, a parameter or an option that does not exist or lies out of range.
        RequirementError: data or a GPU is missing.
    """
    catalog = load_catalog(spec.plugin_path)
    wanted = asked_stages(spec, catalog)
    folder = is_folder(spec.dataset, catalog)
    challenge = not folder and catalog.find("datasets", spec.dataset).challenge is not None
    if not challenge and (spec.split or spec.data_root):
        raise UsageError(
            f"--{'split' if spec.split else 'data-root'}: '{spec.dataset}' is not the data set of a challenge, so "
            "there is nothing to pick.\nSee: asdbench list datasets"
        )
    scopes = Scopes(spec, catalog, wanted, dataset=None if folder or challenge else spec.dataset)
    for stages in wanted:  # refuses wrong parameters
        _pipeline(scopes, stages, None)
    dataset = None if folder or challenge else scopes.component("datasets", spec.dataset)
    scorers = {
        (stages.system, stages.extractor): [scopes.component("scorers", name, stages) for name in stages.scorers]
        for stages in wanted
    }
    device = resolve_device(spec.device)
    jobs = spec.jobs or available_cores()
    require_writable(spec.out)
    cache = cache_root()
    require_writable(cache)

    if challenge:
        table = open_challenge(spec.dataset, catalog, spec.split, spec.data_root, cache, spec.machine)
    elif dataset is None:
        table = open_folder(spec.dataset, cache, spec.machine)
    else:
        table = open_card(dataset, cache, jobs, progress, spec.machine)
    labelled = require_scorable(table)
    # Systems that share all but the scorer share one pipeline, so that it is trained and read once.
    pipelines: dict[str, Pipeline] = {}
    members: dict[str, list[tuple[str | None, Component]]] = {}
    for stages in wanted:
        pipeline = _pipeline(scopes, stages, scopes.profile(stages, len(table.training_view())))
        key = digest([pipeline.extractor.name, pipeline.identity()])
        pipelines.setdefault(key, pipeline)
        members.setdefault(key, []).extend(
            (stages.system, scorer) for scorer in scorers[stages.system, stages.extractor]
        )
    cells = tuple(
        Cell(system, pipeline, scorer, seed, run_id(system, pipeline, scorer, table, seed, device))
        for key, pipeline in pipelines.items()
        for seed in dict.fromkeys(spec.seed)
        for system, scorer in members[key]
    )
    return Plan(spec, table, labelled, device, jobs, cache, cells, tuple(catalog.warnings))


def _pipeline(scopes: Scopes, stages: Stages, profile: str | None) -> Pipeline:
    """The extractor with its front end and augmentations."""
    return Pipeline(
        extractor=scopes.component("extractors", stages.extractor, stages, profile),
        frontend=scopes.component("frontends", stages.frontend, stages),
        augmentations=tuple(scopes.component("augmentations", name, stages) for name in stages.augmentations),
        profile=profile,
    )


def run_id(system: str | None, pipeline: Pipeline, scorer: Component, table: ClipTable, seed: int, device: str) -> str:
    """Readable beginning, and the digest of all that the run depends on."""
    depends = {
        **pipeline.identity(),
        "scorer": scorer.identity(),
        "clips": table.fingerprint,
        "protocol": table.protocol,
        "seed": seed,
        "device": device,
        "names": [pipeline.extractor.name, scorer.name],  # seeds derive from them
    }
    name = system or f"{pipeline.extractor.name}-{scorer.name}"
    readable = f"{name}-{table.name}-s{seed}"
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '.', readable)}-{digest(depends, 10)}"
