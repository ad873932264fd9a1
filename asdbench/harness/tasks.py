"""The pieces of work of a plan, small enough to hand to another process."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from asdbench.core.locks import BusyError
from asdbench.core.progress import LabelledProgress, Progress
from asdbench.harness.cells import Cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.fits import Fit
from asdbench.harness.outputs import recorded
from asdbench.harness.pipeline import run_cell
from asdbench.harness.plan import Plan
from asdbench.harness.record import Failure, RunRecord
from asdbench.harness.stacks import fit_stack


@dataclass(frozen=True)
class FitTask:
    """Fit an extractor and embed the machine types that share the fit. ``cell`` is a run that needs it, by number."""

    cell: int
    machines: tuple[str, ...]


@dataclass(frozen=True)
class ScoreTask:
    """Score and record a run. ``failures`` are those of its fits, ``features_s`` the seconds that decoding took."""

    cell: int
    failures: tuple[Failure, ...] = ()
    features_s: float = 0.0


Task = FitTask | ScoreTask


def fit_tasks(plan: Plan, cells: Iterable[int]) -> dict[int, list[FitTask]]:
    """The fits that each of the runs needs; runs that share a fit share the task."""
    known: dict[tuple[int, str, int, tuple[str, ...]], FitTask] = {}
    number_of = {id(cell): number for number, cell in enumerate(plan.cells)}
    needs: dict[int, list[FitTask]] = {}
    for number in cells:
        for cell in plan.cells[number].members or (plan.cells[number],):
            for group in cell.groups:
                key = (id(cell.dataset), cell.sharing, cell.fit_seed(group), tuple(group))
                task = known.setdefault(key, FitTask(number_of[id(cell)], tuple(group)))
                needs.setdefault(number, []).append(task)
    return needs


def perform(plan: Plan, task: Task, wait: bool, *, progress: Progress, cores: int) -> list[Failure] | RunRecord | None:
    """Do a task; ``wait`` for another process that is at the same.

    Returns:
        Of a fit, why embeddings are missing; of a run its record; None where another process is at it.

    Raises:
        AsdbenchError: what would meet every task.
    """
    cell = plan.cells[task.cell]
    progress = labelled(progress, plan, cell)
    try:
        if isinstance(task, FitTask):
            stage = EmbeddingStage(cell, plan.cache, progress, cores)
            return stage.compute(task.machines, _of_the_same_fit(plan, cell, task.machines), wait=wait)
        seconds = {"features": task.features_s}
        return run_cell(plan, cell, task.failures, seconds, wait=wait, progress=progress, cores=cores)
    except BusyError:
        return None


def perform_stack(
    plan: Plan, tasks: Sequence[FitTask], *, progress: Progress, cores: int
) -> list[list[Failure] | None]:
    """Do several fits of one kind, their trainings together; of each what ``perform`` returns."""
    fits = []
    for task in tasks:
        cell = plan.cells[task.cell]
        stage = EmbeddingStage(cell, plan.cache, labelled(progress, plan, cell), cores)
        fits.append((stage, Fit(cell, task.machines, plan.cache)))
    errors = fit_stack(fits, plan.spec.threads, progress.note)
    results: list[Any] = []
    for (_, fit), task in zip(fits, tasks, strict=True):
        failures: list[Failure] = []
        with recorded(failures, "fit", _machine_of(plan, task)):
            if fit.trained in errors:
                raise errors[fit.trained]
        results.append(failures or perform(plan, task, False, progress=progress, cores=cores))
    return results


def _of_the_same_fit(plan: Plan, cell: Cell, machines: tuple[str, ...]) -> list[Cell]:
    """Cells whose embeddings differ from a cell's by parameters that only say how a fitted extractor is read."""
    others = {
        other.embedding_key(machines[0]): other
        for other in plan.cells
        if other.extractor.name == cell.extractor.name
        and not other.members
        and other.dataset is cell.dataset
        and other.fit_key(machines) == cell.fit_key(machines)
    }
    others.pop(cell.embedding_key(machines[0]), None)
    return list(others.values())


def labelled(progress: Progress, plan: Plan, cell: Cell) -> Progress:
    """Progress whose stages say which seed and data set they are of, where the command has several."""
    labels = [f"s{cell.seed}"] if len(set(plan.spec.seed)) > 1 else []
    labels += [cell.dataset.name] if len(plan.datasets) > 1 else []
    return LabelledProgress(progress, f" ({', '.join(labels)})") if labels else progress


def failure_of(plan: Plan, task: Task, reason: str) -> Failure:
    """A task that was never finished, as an entry of the record."""
    if isinstance(task, ScoreTask):
        return Failure(stage="score", machine=None, reason=reason)
    return Failure(stage="fit", machine=_machine_of(plan, task), reason=reason)


def _machine_of(plan: Plan, task: FitTask) -> str | None:
    """The machine type that a fit is of; None of one that is of them all."""
    return None if plan.cells[task.cell].fit_on == "dataset" else task.machines[0]
