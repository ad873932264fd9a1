"""From what was asked to the cells that are run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError, did_you_mean
from asdbench.core.files import require_writable
from asdbench.core.progress import Progress
from asdbench.datasets import ClipTable
from asdbench.harness.cache import cache_root
from asdbench.harness.data import is_folder, open_card, open_folder
from asdbench.harness.machine import available_cores, resolve_device
from asdbench.harness.spec import RunSpec
from asdbench.protocols import protocol_of, require_scorable
from asdbench.registry import Catalog, Component, load_catalog
from asdbench.registry.cards import ExtractorCard

QUICK = "quick"
QUICK_BELOW_CLIPS = 500  # training sets smaller than this use the card's quick profile, unless --profile says else


@dataclass(frozen=True)
class System:
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

    def identity(self, stage: Literal["fit", "embed"] = "embed") -> dict[str, Any]:
        """All that decides a fit, or the embeddings, besides clips, seed and device."""
        return {
            "extractor": self.extractor.identity(stage),
            "frontend": self.frontend.identity(),
            "augmentations": [[part.name, part.identity()] for part in self.augmentations],
        }


@dataclass(frozen=True)
class Cell:
    """One run to be done."""

    system: System
    scorer: Component
    seed: int
    run_id: str


@dataclass(frozen=True)
class Plan:
    """All runs of one command, extractor by extractor and seed by seed."""

    spec: RunSpec
    table: ClipTable
    protocol: str
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
    for option, names in (("extractor", spec.extractor), ("scorer", spec.scorer)):
        if not names:
            raise UsageError(f"Nothing to run: --{option} is missing. See: asdbench list {option}s")
        if len(set(names)) < len(names):
            raise UsageError(f"--{option} names the same one twice: {', '.join(names)}.")
    folder = is_folder(spec.dataset, catalog)
    scopes = Scopes(spec, catalog, dataset=None if folder else spec.dataset)
    systems = [scopes.system(name, None) for name in spec.extractor]  # refuses wrong parameters
    scorers = [scopes.component("scorers", name) for name in spec.scorer]
    dataset = None if folder else scopes.component("datasets", spec.dataset)
    device = resolve_device(spec.device)
    jobs = spec.jobs or available_cores()
    require_writable(spec.out)
    cache = cache_root()
    require_writable(cache)

    if dataset is None:
        table = open_folder(spec.dataset, cache, spec.machine)
    else:
        table = open_card(dataset, cache, jobs, progress, spec.machine)
    labelled = require_scorable(table)
    profile = scopes.profile(len(table.training_view()))
    systems = [scopes.system(name, profile) for name in spec.extractor]
    cells = tuple(
        Cell(system, scorer, seed, run_id(system, scorer, table, seed, device))
        for system in systems
        for seed in dict.fromkeys(spec.seed)
        for scorer in scorers
    )
    return Plan(spec, table, protocol_of(table), labelled, device, jobs, cache, cells, tuple(catalog.warnings))


def run_id(system: System, scorer: Component, table: ClipTable, seed: int, device: str) -> str:
    """Readable beginning, and the digest of all that the run depends on."""
    depends = {
        **system.identity(),
        "scorer": scorer.identity(),
        "clips": table.fingerprint,
        "protocol": protocol_of(table),
        "seed": seed,
        "device": device,
        "names": [system.extractor.name, scorer.name],  # seeds derive from them
    }
    readable = f"{system.extractor.name}-{scorer.name}-{table.name}-s{seed}"
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '.', readable)}-{digest(depends, 10)}"


class Scopes:
    """Hands the parameters given as ``component.param`` to the components that they name.

    A component is named by its name, or by its kind ("extractor", "scorer", "frontend", "dataset") where the
    command holds one of that kind only.

    Raises:
        UsageError: a parameter names a component that is not part of the command.
    """

    def __init__(self, spec: RunSpec, catalog: Catalog, dataset: str | None) -> None:
        self._catalog = catalog
        self._spec = spec
        extractors = [catalog.find("extractors", name) for name in spec.extractor]
        self._frontends: dict[str, str] = {}
        self._augmentations: dict[str, tuple[str, ...]] = {}
        for entry in extractors:
            assert isinstance(entry.card, ExtractorCard)
            self._frontends[entry.name] = spec.frontend or entry.card.frontend
            wanted = spec.augmentation if spec.augmentation is not None else entry.card.augmentations
            self._augmentations[entry.name] = tuple(wanted) if entry.card.augmentations else ()
        self._members: Mapping[str, list[str]] = {
            "extractor": list(spec.extractor),
            "scorer": list(spec.scorer),
            "frontend": list(dict.fromkeys(self._frontends.values())),
            "augmentation": list(dict.fromkeys(name for names in self._augmentations.values() for name in names)),
            "dataset": [dataset] if dataset else [],
        }
        offered = {"auto", "full", *(name for entry in extractors for name in entry.card.profiles)}
        if spec.profile not in offered:
            hint = did_you_mean(spec.profile, offered)
            raise UsageError(f"No profile '{spec.profile}'.{hint} Accepted: {', '.join(sorted(offered))}.")
        self._values: dict[str, dict[str, Any]] = {}
        for key, value in spec.params.items():  # those of the command line come last and win
            scope, _, param = key.rpartition(".")
            self._values.setdefault(self._component_of(scope, param), {})[param] = value

    def _component_of(self, scope: str, param: str) -> str:
        """The one component that a scope means."""
        known = [name for names in self._members.values() for name in names]
        if scope in known:
            return scope
        members = self._members.get(scope, [])
        if len(members) == 1:
            return members[0]
        example = f"{scope}.{param}"
        if members:
            raise UsageError(f"-p {example}: this command has several {scope}s. Name one: -p {members[0]}.{param}=...")
        hint = did_you_mean(scope, [*known, *(kind for kind, names in self._members.items() if names)])
        raise UsageError(f"-p {example}: nothing named '{scope}' in this command.{hint} Here: {', '.join(known)}.")

    def profile(self, training_clips: int) -> str:
        """The profile asked for; "auto" is the quick one for small training sets."""
        if self._spec.profile != "auto":
            return self._spec.profile
        return QUICK if training_clips < QUICK_BELOW_CLIPS else "full"

    def component(self, kind: str, name: str, profile: str | None = None) -> Component:
        """The named component with the parameters given for it."""
        return self._catalog.component(kind, name, self._values.get(name, {}), profile)

    def system(self, extractor: str, profile: str | None) -> System:
        """The extractor with its front end and augmentations."""
        entry = self._catalog.find("extractors", extractor)
        profile = profile if profile in entry.card.profiles else None
        return System(
            extractor=self.component("extractors", extractor, profile),
            frontend=self.component("frontends", self._frontends[extractor]),
            augmentations=tuple(self.component("augmentations", name) for name in self._augmentations[extractor]),
            profile=profile,
        )
