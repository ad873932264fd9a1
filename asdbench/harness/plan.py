"""From what was asked to the cells that are run."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from asdbench.core.errors import UsageError
from asdbench.core.files import require_writable
from asdbench.core.paths import cache_root
from asdbench.core.progress import Progress
from asdbench.datasets import Dataset
from asdbench.datasets.clips import Source
from asdbench.harness.cells import Cell
from asdbench.harness.data import open_dataset, require_challenge, sort_of
from asdbench.harness.machine import available_cores, resolve_device
from asdbench.harness.request import Scopes, Stages, asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.protocols import ThresholdRule, require_scorable
from asdbench.registry import Catalog, Component, load_catalog
from asdbench.registry.cards import ScorerCard
from asdbench.registry.ensembles import Ensemble
from asdbench.score_files.files import file_name, parse_file_name

LONGEST_FILE_NAME = 255  # bytes, on nearly every file system
TEMPORARY_AFFIXES = len("..12345678.partial")


@dataclass(frozen=True)
class Plan:
    """All runs of one command: data set by data set, pipeline by pipeline, seed by seed."""

    spec: RunSpec  # what was asked
    device: str  # "cpu" or "cuda"
    cores: int  # that this process may use
    cache: Path  # its folder
    datasets: tuple[Dataset, ...]  # opened
    cells: tuple[Cell, ...]  # the runs
    warnings: tuple[str, ...]  # of the registry

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
    scopes = _settled(spec, catalog)[1]
    if len(set(spec.dataset)) < len(spec.dataset):
        raise UsageError(f"--dataset names the same one twice: {', '.join(spec.dataset)}.")
    require_challenge(spec.dataset, spec.split, spec.data_root, catalog)
    of_data = next((key for key in spec.vary for name, _ in scopes.meant(key, "--vary") if name in spec.dataset), None)
    if of_data:
        raise UsageError(
            f"--vary {of_data}: recordings are not varied. Name several data sets: --dataset A --dataset B"
        )
    for one in spec.combinations:  # refuses wrong parameters
        wanted, scopes = _settled(one, catalog)
        for stages in wanted:
            _components(scopes, stages, None)
    sources = [_source(name, spec, scopes, catalog) for name in spec.dataset]
    device = settle_device(spec, progress)
    require_places(spec.out, "--out DIR")
    datasets = [open_dataset(source, catalog, spec.data_root, progress) for source in sources]
    known: dict[tuple[str, str], str] = {}
    for dataset, name in zip(datasets, spec.dataset, strict=True):
        same = known.setdefault((dataset.name, dataset.fingerprint), name)
        if same != name:
            raise UsageError(f"--dataset {name}: the same recordings as {same}, under the same name. Leave one out.")
    asked = [(dataset, one) for dataset in datasets for one in spec.combinations]
    return plan_of(spec, asked, datasets, catalog, device)


def require_places(out: Path, option: str) -> None:
    """Refuse a folder for runs, which the option names, or a cache that nothing can be written to.

    Raises:
        UsageError: one cannot be created or written to.
    """
    require_writable(out, option)
    if not cache_root().is_dir():
        require_writable(cache_root())  # one that is there may be a colleague's, who lets others read


def plan_of(
    spec: RunSpec, asked: Iterable[tuple[Dataset, RunSpec]], datasets: Sequence[Dataset], catalog: Catalog, device: str
) -> Plan:
    """The runs of several commands, each on one of the data sets; equal ones are one.

    Raises:
        UsageError: a name or a parameter that does not exist or lies out of range.
        RequirementError: a data set has nothing to score.
    """
    for dataset in datasets:
        require_scorable(dataset)
        _require_file_names(dataset)
    cells: dict[str, Cell] = {}
    for dataset, one in asked:
        for cell in cells_of(dataset, one, catalog, device):
            members = tuple(cells[member.run_id] for member in cell.members)
            cells.setdefault(cell.run_id, replace(cell, members=members))
    warnings = tuple(catalog.warnings)
    return Plan(spec, device, available_cores(), cache_root(), tuple(datasets), tuple(cells.values()), warnings)


def replan(plan: Plan, spec: RunSpec, catalog: Catalog) -> Plan:
    """Other runs on the recordings of a plan that are open already; ``spec`` names the same data sets.

    Raises:
        UsageError: a name or a parameter that does not exist or lies out of range.
    """
    cells = [cell for dataset in plan.datasets for cell in cells_of(dataset, spec, catalog, plan.device)]
    return replace(plan, spec=spec, cells=tuple(cells), warnings=())


def cells_of(dataset: Dataset, spec: RunSpec, catalog: Catalog, device: str) -> list[Cell]:
    """The runs of a command on one data set that is open, those of an ensemble's members before its own.

    Systems that share all but the scorer stand together, so that what they share is trained and read once.

    Raises:
        UsageError: a name or a parameter that does not exist or lies out of range.
    """
    wanted, scopes = _settled(spec, catalog)
    seeds = list(dict.fromkeys(spec.seed))
    rule = spec.rule
    training_clips = sum(clip.split == "train" for clip in dataset)
    cells: dict[str, Cell] = {}
    for stages in sorted(wanted, key=lambda one: one.is_ensemble):  # so that a member that is asked for itself is known
        profile = scopes.profile(stages, training_clips)
        extractor, frontend, augmentations, scorers = _components(scopes, stages, profile)
        for scorer in scorers:
            require_promise(rule, dataset, scorer)
        for seed in seeds:
            shared = partial(
                Cell,
                dataset=dataset,
                seed=seed,
                device=device,
                threads=spec.threads,
                profile=profile,
                given=dict(spec.params),
                rule=rule,
            )
            members = []
            for member in member_cells(extractor, shared):
                members.append(cells.setdefault(member.run_id, member))
            for scorer in scorers:
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
    return sorted(cells.values(), key=lambda cell: (together[cell.sharing], seeds.index(cell.seed)))


def member_cells(extractor: Component, shared: "partial[Cell]") -> list[Cell]:
    """The runs of an ensemble's members; none of another extractor."""
    members = extractor.members if isinstance(extractor, Ensemble) else []
    return [shared(**member, implied=True) for member in members]


def settle_device(spec: RunSpec, progress: Progress) -> str:
    """Of this machine, or of a cluster's nodes. Raises RequirementError: there is none as asked for."""
    if spec.engine == "local":
        return resolve_device(spec.device)
    from asdbench.harness.cluster.joining import cluster_device

    return cluster_device(spec.device, progress)


def _settled(spec: RunSpec, catalog: Catalog) -> tuple[list[Stages], Scopes]:
    """What is asked to run, and the parameters of its components."""
    wanted = asked_stages(spec, catalog)
    return wanted, Scopes(spec, catalog, wanted, [name for name in spec.dataset if sort_of(name, catalog) == "made"])


def _source(name: str, spec: RunSpec, scopes: Scopes, catalog: Catalog) -> Source:
    machines = tuple(spec.machine)
    sort = sort_of(name, catalog)
    if sort != "made":
        return Source(name, spec.split if sort == "challenge" else None, machines)
    usual = catalog.component("datasets", name).params
    params = scopes.component("datasets", name).params
    return Source(name, None, machines, tuple((key, value) for key, value in params.items() if value != usual[key]))


def _components(
    scopes: Scopes, stages: Stages, profile: str | None
) -> tuple[Component, Component, tuple[Component, ...], list[Component]]:
    """The extractor, its front end (of an ensemble that of the first member), augmentations, and scorers."""
    extractor = scopes.component("extractors", stages.extractor, stages, profile)
    if isinstance(extractor, Ensemble):
        frontend = extractor.members[0]["frontend"]
    else:
        frontend = scopes.component("frontends", stages.frontend, stages)
    augmentations = tuple(scopes.component("augmentations", name, stages) for name in stages.augmentations)
    return extractor, frontend, augmentations, [scopes.component("scorers", name, stages) for name in stages.scorers]


def require_promise(rule: ThresholdRule, dataset: Dataset, scorer: Component) -> None:
    """Refuse a rate of false alarms that the training clips of a section, or of a domain of it, cannot promise.

    Raises:
        UsageError: it takes more clips, or domains are not known.
    """
    assert isinstance(scorer.card, ScorerCard)
    training = dataset.select(split="train")
    if rule.per_domain and not any(clip.domain for clip in training):
        raise UsageError(f"--per-domain: the domains of the clips of {dataset.name} are not known. Leave it out.")
    clips: dict[tuple[str, str, str], int] = Counter()
    for clip in training:
        section = "" if scorer.card.fit_on == "machine" else clip.section
        clips[clip.machine, section, (clip.domain or "") if rule.per_domain else ""] += 1
    for (machine, section, domain), count in sorted(clips.items()):
        where = [machine, *([f"section {section}"] if section else []), *([f"{domain} domain"] if domain else [])]
        rule.require(count, f" of {', '.join(where)},")


def _require_file_names(dataset: Dataset) -> None:
    """Refuse, before any work, machine types whose score files could not be written, or not be known by their names."""
    sections: Sequence[tuple[str, str]] = [*dataset.sections, *((machine, "00") for machine in dataset.machines)]
    for machine, section in sections:
        name = file_name("decision_result", dataset.layout, machine, section, "source")
        parsed = parse_file_name(Path(name))
        if parsed is None or parsed.machine != machine:
            raise UsageError(
                f"The machine type '{machine}' of {dataset.name} is named so that its score files would be taken for "
                f"those of {repr(parsed.machine) if parsed else 'none'}.\nGive its folder another name."
            )
        length = len(os.fsencode(name))
        if length + TEMPORARY_AFFIXES > LONGEST_FILE_NAME:
            raise UsageError(
                f"The machine type '{machine[:40]}...' of {dataset.name} has too long a name: its score files would "
                f"have names of {length} bytes, and up to {LONGEST_FILE_NAME - TEMPORARY_AFFIXES} can be written.\n"
                "Give its folder a shorter name."
            )
