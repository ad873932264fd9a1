"""Do the runs of a plan: fits and embeddings that runs share come first, then each run is scored and recorded."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from asdbench.core.errors import DataError
from asdbench.core.files import clear_write_errors, require_replaceable
from asdbench.core.progress import Progress
from asdbench.harness.cell import damaged_run, record_failure, recorded_run
from asdbench.harness.crew import hire
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.kept import KeptFit
from asdbench.harness.plan import Cell, Plan
from asdbench.harness.record import Failure, RunRecord
from asdbench.harness.schedule import Schedule
from asdbench.harness.tasks import FitTask, fit_tasks, named


def execute(plan: Plan, progress: Progress) -> Iterator[RunRecord]:
    """Do every run of the plan and yield its record as it comes; a run that was settled before is read.

    A run that fails is recorded with its reason and the others go on. Nothing of a run is visible before all of it
    is there. Where another process is at the same, other work is done first.

    Raises:
        RequirementError: recordings that cannot be used.
        UsageError: a parameter that a component itself refuses.
        DiskFullError: something cannot be written.
    """
    for warning in plan.warnings:
        progress.note(warning)
    to_do = []
    for number, cell in enumerate(plan.cells):
        record = recorded_run(plan, cell)
        if record is None:
            damaged = damaged_run(plan, cell)
            if damaged is not None:
                progress.note(f"{damaged} It is made again.")
            to_do.append(number)
        else:
            _tell_notes(record, cell, progress)
            yield record
    if not to_do:
        return
    for number in to_do:
        folder = plan.spec.out / plan.cells[number].run_id
        with clear_write_errors(folder, "--out DIR"):
            require_replaceable(folder)
    _build_parts([plan.cells[number] for number in to_do])
    needs = fit_tasks(plan, to_do)
    if plan.spec.fresh:
        for task in dict.fromkeys(task for tasks in needs.values() for task in tasks):
            kept = KeptFit(plan, plan.cells[task.cell], task.machines)
            kept.forget(lambda: progress.note("Another process is training the same; waiting for it."))
    features_s, broken = _prepare_features(plan, needs, progress)
    for number, failure in broken.items():
        del needs[number]
        yield record_failure(plan, plan.cells[number], [failure])
    schedule = Schedule(plan, needs, features_s)
    with ExitStack() as stack:
        crew = stack.enter_context(hire(plan, schedule.width, progress))
        schedule.tell_more_at_once(progress)
        overall = stack.enter_context(progress.overall("runs", len(to_do))) if len(to_do) > 1 else None

        def tell(runs: int) -> None:
            if overall is not None:
                overall.advance(runs, left_s=schedule.left_s(min(crew.width, schedule.width)))

        tell(len(broken))
        for record in schedule.run(crew, tell):
            yield record


def _build_parts(cells: Sequence[Cell]) -> None:
    """Build everything once before anything is decoded, so that a part that refuses its parameters does so at once."""
    parts = {}
    for cell in cells:
        for component in (cell.pipeline.extractor, cell.pipeline.frontend, cell.scorer):
            parts[component.kind, component.name, repr(component.params)] = component
    for component in parts.values():
        component.build()


def _prepare_features(
    plan: Plan, needs: dict[int, list[FitTask]], progress: Progress
) -> tuple[dict[int, float], dict[int, Failure]]:
    """Decode what the fits want, with all cores and before anything is trained.

    Returns:
        Seconds that it took, by run; and of several data sets the runs on one whose recordings cannot be used.
    """
    taken: dict[tuple[int, str], float] = {}
    broken: dict[int, Failure] = {}
    reasons: dict[int, Failure] = {}
    found = {}
    for number, tasks in needs.items():
        cell = plan.cells[number]
        key = (id(cell.data), repr([frontend.identity() for frontend in cell.pipeline.frontends]))
        if key[0] in reasons:
            broken[number] = reasons[key[0]]
        elif key not in taken and not all(KeptFit(plan, cell, task.machines).is_embedded for task in tasks):
            started = time.perf_counter()
            try:
                EmbeddingStage(plan, cell, named(progress, plan, cell)).prepare_features()
            except DataError as error:
                if len(plan.recordings) == 1:
                    raise
                reasons[key[0]] = broken[number] = Failure(stage="features", machine=None, reason=str(error))
            taken[key] = time.perf_counter() - started
        found[number] = taken.get(key, 0.0)
    return found, broken


def _tell_notes(record: RunRecord, cell: Cell, progress: Progress) -> None:
    for note in record.notes:
        progress.note(f"{cell.name}: {note}")
