"""The tasks of a trial: score one machine type with one seed, and at the end do the runs."""

from statistics import fmean
from typing import Any

from asdbench.core.errors import AsdbenchError
from asdbench.core.progress import Progress
from asdbench.harness.cells import Cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.pipeline import run_cell, with_labels
from asdbench.harness.plan import Plan, replan
from asdbench.harness.record import Failure, RunRecord
from asdbench.harness.scoring import score_machine
from asdbench.harness.spec import RunSpec
from asdbench.protocols import MachineResult, evaluate, official_terms
from asdbench.registry import load_catalog
from asdbench.scorers.out_of_fold import scores_for_units
from asdbench.tuning.record import MachineScore, Objective

TIMED = ("fit", "embed", "score")  # stages whose seconds count; features are made once for all


class TrialError(AsdbenchError):
    """A configuration that has no score."""


def evaluate_machine(
    base: Plan, spec: RunSpec, machine: str, seed: int, *, progress: Progress, cores: int
) -> MachineScore:
    """Fit, embed and score one machine type with one seed; fits and embeddings stay in the cache for the run.

    Args:
        base: the study's recordings, open.
        spec: the trial's configuration.
        machine: machine type.
        seed: base seed.
        progress: where the work is reported.
        cores: threads for decoding.

    Raises:
        TrialError: it failed.
        AsdbenchError: what would fail every trial: bad recordings, a full disk.
    """
    plan, cell = _planned(base, spec, seed)
    embedded = EmbeddingStage(cell, plan.cache, progress, cores).run([machine])
    _refuse(embedded.failures)
    scores = {
        machine: score_machine(
            cell.dataset, embedded.rows[machine], cell.scorer, cell.seed, machine, by=scores_for_units
        )
    }
    return _score_of(evaluate(cell.dataset.protocol, with_labels(cell, scores)).machines[machine])


def run_seed(base: Plan, spec: RunSpec, seed: int, *, progress: Progress, cores: int) -> RunRecord:
    """Do the trial's run with one seed, and record it.

    Raises:
        TrialError: a machine type of it failed.
        AsdbenchError: what would fail every trial: bad recordings, a full disk.
    """
    plan, cell = _planned(base, spec, seed)
    for component in cell.components:
        component.build()  # refuses its parameters at once
    record = run_cell(plan, cell, progress=progress, cores=cores)
    _refuse(record.failures)
    return record


def scores_of(record: RunRecord) -> dict[str, MachineScore]:
    """A run's results as a trial records them, by machine type."""
    assert record.results is not None, "a study's test clips carry labels"
    return {machine: _score_of(result) for machine, result in record.results.machines.items()}


def value_of(records: list[RunRecord], objective: Objective) -> float:
    """A trial's value of an objective, mean over its seeds."""
    return fmean(_value(record, objective) for record in records)


def _value(record: RunRecord, objective: Objective) -> float:
    assert record.results is not None
    if objective == "score":
        return record.results.official_score
    if objective == "seconds":
        return sum(record.seconds.get(stage, 0.0) for stage in TIMED)
    return float(sum(network.parameters or 0 for network in record.training))


def _score_of(result: MachineResult) -> MachineScore:
    return MachineScore(
        official_score=result.official_score,
        terms=official_terms(result),
        auc_source=result.auc_source,
        auc_target=result.auc_target,
        pauc=result.pauc,
    )


def _refuse(failures: list[Failure]) -> None:
    if failures:
        first = failures[0]
        where = f" ({first.machine})" if first.machine and first.machine not in first.reason else ""
        raise TrialError(f"{first.stage}{where}: {first.reason}")


def _planned(base: Plan, spec: RunSpec, seed: int) -> tuple[Plan, Cell]:
    """The plan of a configuration, and its run with a seed: the last one, since an ensemble's members come first."""
    if _latest.get("base") is not base or _latest["spec"] != spec:
        _latest.update(base=base, spec=spec, plan=replan(base, spec, load_catalog(spec.plugin_path)))
    plan: Plan = _latest["plan"]
    return plan, [cell for cell in plan.cells if cell.seed == seed][-1]


_latest: dict[str, Any] = {}  # the last plan, since a trial's tasks come one after the other
