"""``asd.run``: every extractor with every scorer on every data set with every seed."""

import pickle
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from asdbench.api.arguments import checked_spec, listed, plain, several, whole_numbers
from asdbench.api.components import Extractor, Named, Scorer, System
from asdbench.api.loading import load
from asdbench.api.runs import Run, Runs
from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.progress import Progress, Silent
from asdbench.datasets import Dataset
from asdbench.datasets.clips import Source
from asdbench.extractors.base import Extractor as FittedExtractor
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.experiment import execute
from asdbench.harness.fits import Fit
from asdbench.harness.plan import Plan, plan_of, require_places, settle_device
from asdbench.harness.record import RunRecord
from asdbench.harness.spec import RunSpec
from asdbench.registry import Catalog, load_catalog
from asdbench.registry.instances import InstanceComponent

if TYPE_CHECKING:
    import pandas

Data: TypeAlias = "str | Path | Dataset | pandas.DataFrame"
KINDS: dict[str, type[Named]] = {"extractors": Extractor, "scorers": Scorer, "systems": System}


def run(
    data: "Data | Sequence[Data]" = "synthetic",
    extractor: Any = None,
    scorer: Any = None,
    *,
    system: Any = None,
    augmentations: str | Sequence[str] | None = None,
    frontend: str | None = None,
    params: dict[str, object] | None = None,
    seeds: int | Iterable[int] = 0,
    machines: str | Sequence[str] = (),
    split: Literal["dev", "eval"] | None = None,
    data_root: str | Path | None = None,
    profile: str = "auto",
    out: str | Path = "runs",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    jobs: int = 1,
    threads: int = 1,
    engine: Literal["local", "ray"] = "local",
    threshold: str | float | None = None,
    false_alarms: float | None = None,
    per_domain: bool = False,
    fresh: bool = False,
    retry_failed: bool = False,
    plugin_path: str | Path | Sequence[str | Path] = (),
    progress: Progress | None = None,
) -> Runs:
    """Train, score and evaluate: the main job. Runs that were done before are read, not done again.

    Args:
        data: a data set, or what ``asdbench.load`` takes; or several.
        extractor: one or several: a name, ``asdbench.extractor(...)``, a subclass of ``asdbench.extractors.Extractor``
            as an object, or a torch module that makes (batch, dim) of features (batch, channels, bins, frames).
        scorer: one or several: a name, ``asdbench.scorer(...)``, an object with ``fit(embeddings)`` and
            ``score(embeddings)`` (higher is more anomalous), a detector of scikit-learn or PyOD. Objects are copied for
            each section, and nothing that they compute is taken from the cache.
        system: one or several published systems, by name or as ``asdbench.system(...)``.
        augmentations: names, in place of the extractor's.
        frontend: name, in place of the extractor's.
        params: parameters by ``component.param``, as ``-p`` of the command line.
        seeds: base seeds.
        machines: only these machine types.
        split: of a challenge's data.
        data_root: where the challenges' data lie.
        profile: of the extractor's card; "auto" is "quick" on a small training set, "full" the card's defaults.
        out: folder that the runs' folders go to.
        device: "auto" takes a GPU where there is one.
        jobs: runs and fits done at a time, in processes; 0 is as many as cores. What cannot be pickled runs in this
            process. A script that uses it needs ``if __name__ == "__main__":``, as all of Python's processes do.
        threads: of one training on the CPU.
        engine: "ray" for the cluster at ``RAY_ADDRESS``.
        threshold: above which a clip is called anomalous: a number, or "gamma:0.9", the official baselines' rule,
            which is the default.
        false_alarms: in place of it the smallest threshold whose expected rate on new normal clips is at most this.
        per_domain: the rule holds within each domain; the largest of the domains' thresholds is taken.
        fresh: fit, embed and score again.
        retry_failed: do runs again that failed before.
        plugin_path: folders with ``registry/`` and modules of your own.
        progress: where the work is reported; None shows nothing.

    Returns:
        The runs, in the order of extractors (systems last), scorers, data sets and seeds. One that failed is among
        them, with its reason.

    Raises:
        UsageError: a name or parameter that does not exist, an object that is neither extractor nor scorer, or a rate
            of false alarms that the training clips are too few to promise.
        RequirementError: recordings are missing or cannot be used.

    Examples:
        >>> import asdbench as asd
        >>> runs = asd.run("synthetic", "raw-mel", ["knn", "mahalanobis-lw"], machines=["fan"])
        >>> [run.scorer for run in runs], runs[0].status
        (['knn', 'mahalanobis-lw'], 'done')
    """
    progress = progress or Silent()
    extractors, scorers, systems = listed(extractor), listed(scorer), listed(system)
    spec = run_spec(
        [*extractors, *scorers, *systems],
        seeds=seeds,
        machines=machines,
        augmentations=augmentations,
        plugin_path=plugin_path,
        split=split,
        frontend=frontend,
        profile=profile,
        device=device,
        engine=engine,
        jobs=jobs,
        threads=threads,
        out=out,
        threshold=threshold,
        false_alarms=false_alarms,
        per_domain=per_domain,
        fresh=fresh,
        retry_failed=retry_failed,
    )
    folders, catalog = spec.plugin_path, load_catalog(spec.plugin_path)
    tables = [
        load(one, split=split, data_root=data_root, machines=machines, plugin_path=folders, progress=progress)
        for one in listed(data)
    ]
    spec = spec.model_copy(update={"dataset": [source_of(table).name for table in tables]})
    specs = list(combinations(spec, catalog, extractors, scorers, systems, params or {}, tables))
    plan = _plan(spec, specs, catalog, tables, progress)
    if jobs != 1 and not _is_picklable(plan):
        progress.note("An object that was given cannot be pickled, so everything runs in this process.")
        plan = replace(plan, spec=spec.model_copy(update={"jobs": 1}))
    records: dict[str, RunRecord] = {record.run_id: record for record in execute(plan, progress)}
    return Runs([Run(plan.spec.out / cell.run_id, records[cell.run_id], cell) for cell in plan.asked])


def fitted_extractor(asked: Extractor, data: Data, machine: str | None, seed: int) -> FittedExtractor:
    """The extractor as a run would train it; from the cache where a run did.

    Raises:
        UsageError: it is trained for each machine type, there are several, and none is named.
        AsdbenchError: the training failed.
    """
    table = load(data, plugin_path=list(asked.plugin_path))
    table.require_machines(several(machine))
    spec = RunSpec(
        dataset=[source_of(table).name],
        extractor=[asked.name],
        scorer=["knn"],
        params=asked.given_by_component,
        seed=[seed],
        plugin_path=list(asked.plugin_path),
        tracking="none",
    )
    plan = _plan(spec, [spec], load_catalog(asked.plugin_path), [table], Silent())
    (cell,) = plan.cells
    groups = [group for group in cell.groups if machine is None or machine in group]
    if len(groups) > 1:
        raise UsageError(f"{asked.name} is trained for each machine type; name one of {', '.join(table.machines)}.")
    failures = EmbeddingStage(cell, plan.cache, Silent(), plan.cores).compute(groups[0])
    fit = Fit(cell, groups[0], plan.cache)
    if not fit.is_trained:
        raise AsdbenchError(f"{asked.name} was not trained: {failures[0].reason}")
    return fit.extractor()


def combinations(
    spec: RunSpec,
    catalog: Catalog,
    extractors: Sequence[Any],
    scorers: Sequence[Any],
    systems: Sequence[Any],
    params: dict[str, object],
    tables: Sequence[Dataset],
) -> Iterable[RunSpec]:
    """What the command line would be asked, once for each pair of extractor and scorer and each system."""
    if not systems and not (extractors and scorers):
        raise UsageError(
            'Nothing to run: asdbench.run(data, extractor="raw-mel", scorer="knn"), or system="...".\n'
            "See: asdbench list"
        )
    if bool(extractors) != bool(scorers):
        raise UsageError("Extractors meet scorers: give both, extractor=... and scorer=...")
    of_data = {f"{source_of(table).name}.{key}": value for table in tables for key, value in source_of(table).params}
    shared = {**of_data, **{key: plain(value) for key, value in params.items()}}
    named_scorers = [name_and_params(one, "scorers", catalog) for one in scorers]
    for given in extractors:
        extractor, params_of_extractor = name_and_params(given, "extractors", catalog)
        for scorer, params_of_scorer in named_scorers:
            settled = {**shared, **params_of_extractor, **params_of_scorer}
            yield spec.model_copy(update={"extractor": [extractor], "scorer": [scorer], "params": settled})
    for given in systems:
        system, params_of_system = name_and_params(given, "systems", catalog)
        yield spec.model_copy(update={"system": [system], "params": {**shared, **params_of_system}})


def _plan(
    spec: RunSpec, specs: Sequence[RunSpec], catalog: Catalog, tables: Sequence[Dataset], progress: Progress
) -> Plan:
    """The runs in the order of ``specs``, data sets and seeds; equal cells are one."""
    device = settle_device(spec, progress)
    require_places(spec.out, "out=DIR")
    return plan_of(spec, [(table, one) for one in specs for table in tables], tables, catalog, device)


def _is_picklable(plan: Plan) -> bool:
    """Whether objects of the user's own can be handed to another process."""
    try:
        for cell in plan.cells:
            for one in (cell.extractor, cell.scorer):
                if isinstance(one, InstanceComponent):
                    pickle.dumps(one)
    except Exception:  # classes say in many ways that they cannot
        return False
    return True


def source_of(table: Dataset) -> Source:
    """How a data set was asked for."""
    return table.source or Source(table.name)


def name_and_params(given: Any, kind: str, catalog: Catalog | None = None) -> tuple[str, dict[str, object]]:
    """The name of what was given, and the parameters given with it by ``component.param``.

    An object of the user's own gets a name in the catalog; without one it is refused (UsageError).
    """
    if isinstance(given, str):
        return given, {}
    if isinstance(given, KINDS[kind]):
        return given.name, given.given_by_component
    if isinstance(given, Named) or kind == "systems" or catalog is None:
        hint = "" if catalog else ". tune takes what has a card; an object of your own needs a card"
        raise UsageError(f"{given!r} was given where one of the {kind} is wanted{hint}.")
    return catalog.add_instance(kind, given), {}


def run_spec(
    things: Iterable[Any],
    seeds: int | Iterable[int],
    machines: str | Sequence[str],
    augmentations: str | Sequence[str] | None,
    plugin_path: str | Path | Sequence[str | Path],
    **fields: Any,
) -> RunSpec:
    """What the command line would be asked, untracked; folders of plugins are those of the things given as well.

    Raises:
        UsageError: a value of the wrong kind, or beyond its range.
    """
    folders = [*map(Path, several(plugin_path))]
    folders += [folder for one in things if isinstance(one, Named) for folder in one.plugin_path]
    return checked_spec(
        seed=whole_numbers("seeds", seeds),
        machine=several(machines),
        augmentation=None if augmentations is None else several(augmentations),
        plugin_path=list(dict.fromkeys(folder.expanduser() for folder in folders)),
        tracking="none",
        **fields,
    )
