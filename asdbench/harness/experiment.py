"""All runs of a command: what they share is done once, and each is recorded as soon as its fits are there."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from asdbench.core.digests import digest
from asdbench.core.errors import AsdbenchError, DataError
from asdbench.core.faults import fault_of
from asdbench.core.files import clear_write_errors, require_replaceable
from asdbench.core.progress import Progress
from asdbench.harness.cells import Cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.estimate import Estimates
from asdbench.harness.executors import Executor, Outcome, Processes, Serial, start_server
from asdbench.harness.fits import Fit
from asdbench.harness.pipeline import record_failure, recorded_run
from asdbench.harness.plan import Plan
from asdbench.harness.record import Failure, RunRecord
from asdbench.harness.request import asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.harness.tasks import FitTask, ScoreTask, Task, failure_of, fit_tasks, named, perform
from asdbench.registry import load_catalog

MANY_FITS = 8  # worth a word about --jobs where nothing tells how long they take
LONG_S = 60.0
NEEDED = ("asdbench.cli.app", "asdbench.harness.experiment", "scipy.stats", "sklearn.metrics")  # of processes
BUSY_AGAIN_S = 2.0  # how long a task that another process is at is left alone


def execute(plan: Plan, progress: Progress) -> Iterator[RunRecord]:
    """Do every run of the plan and yield its record as it comes; a run that was settled before is read.

    Records of runs that are only implied, members of ensembles, are not yielded.

    A run that fails is recorded with its reason and the others go on. Nothing of a run is visible before all of it
    is there. Where another process is at the same, other work is done first.

    Raises:
        RequirementError: recordings that cannot be used.
        UsageError: a parameter that a component itself refuses.
        DiskFullError: something cannot be written.
    """
    for warning in plan.warnings:
        progress.note(warning)
    implied = {cell.run_id for cell in plan.cells if cell.implied}
    settled, to_do = _settled(plan, progress)
    yield from (record for record in settled if record.run_id not in implied)
    if not to_do:
        return
    yield from (record for record in _do(plan, to_do, progress) if record.run_id not in implied)


def _settled(plan: Plan, progress: Progress) -> tuple[list[RunRecord], list[int]]:
    """Records of runs that are done, and numbers of the others."""
    records, to_do = [], []
    for number, cell in enumerate(plan.cells):
        record = recorded_run(plan, cell, progress.note)
        if record is None:
            to_do.append(number)
            continue
        for note in record.notes:
            progress.note(f"{cell.name}: {note}")
        records.append(record)
    return records, to_do


def _do(plan: Plan, to_do: Sequence[int], progress: Progress) -> Iterator[RunRecord]:
    """Do runs of the plan, by their numbers."""
    for number in to_do:
        folder = plan.spec.out / plan.cells[number].run_id
        with clear_write_errors(folder, "--out DIR"):
            require_replaceable(folder)
    _build_parts([plan.cells[number] for number in to_do])
    needs = fit_tasks(plan, to_do)
    if plan.spec.fresh:
        for task in dict.fromkeys(task for tasks in needs.values() for task in tasks):
            fit = Fit(plan.cells[task.cell], task.machines, plan.cache)
            fit.forget(lambda: progress.note("Another process is training the same; waiting for it."))
    features_s, broken = _prepare_features(plan, needs, progress)
    for number, failure in broken.items():
        del needs[number]
        yield record_failure(plan, plan.cells[number], [failure])
    matrix = Matrix(plan, needs, features_s)
    with ExitStack() as stack:
        executor = stack.enter_context(executor_for(plan, matrix.width, progress))
        matrix.advise(progress)
        overall = stack.enter_context(progress.overall("runs", len(to_do))) if len(to_do) > 1 else None

        def count(runs: int) -> None:
            if overall is not None:
                overall.advance(runs, left_s=matrix.left_s(min(executor.width, matrix.width)))

        count(len(broken))
        yield from matrix.run(executor, count)


def executor_for(plan: Plan, most: int, progress: Progress) -> Executor:
    """The executor that the command asks for; ``most`` tasks can be done at a time.

    Raises:
        RequirementError: the engine is not there.
    """
    if plan.spec.engine == "ray":
        from asdbench.harness.cluster.executor import RayExecutor

        return RayExecutor(plan, progress)
    count = min(tasks_at_once(plan), most)
    if count > 1:
        return Processes(plan, count, plan.cores, plan.spec.threads, progress)
    return Serial(plan, plan.cores, progress)


def tasks_at_once(plan: Plan) -> int:
    """Tasks that the engine does at a time, where there are as many."""
    if plan.spec.jobs or plan.spec.engine == "local":
        return plan.spec.jobs or plan.cores
    from asdbench.harness.cluster.executor import slots_of

    return slots_of(plan)


def prepare(spec: RunSpec, needed: Sequence[str] = ()) -> None:
    """Let what processes need be imported while the recordings are opened; nothing where there will be none.

    Args:
        spec: what will be done.
        needed: modules, besides those of the components.
    """
    if spec.engine == "local" and spec.jobs != 1:
        start_server(spec.threads, [*NEEDED, *needed, *_modules(spec)])


def _modules(spec: RunSpec) -> list[str]:
    """Of asdbench's own components; what is wrong with what was asked is for others to say."""
    try:
        catalog = load_catalog(spec.plugin_path)
        parts = [
            catalog.component(f"{kind}s", name)
            for stages in asked_stages(spec, catalog)
            for kind, names in stages.parts().items()
            for name in names
        ]
    except AsdbenchError:
        return []
    found = {part.card.target.partition(":")[0] for part in parts if part.home is None}
    if any("epochs" in part.params for part in parts):
        found.add("torch._dynamo")  # which counting a network's operations imports
    return sorted(found)


class Matrix:
    """Which task comes next, and what its end sets free.

    A run is scored as soon as its last fit is there, before further fits, so that results come early. With several
    processes, fits that take longest come first, so that none of them is left alone at the end.

    Args:
        plan: the command.
        needs: the fits of each run, by its number.
        features_s: what decoding took, by run.
    """

    def __init__(self, plan: Plan, needs: dict[int, list[FitTask]], features_s: dict[int, float]) -> None:
        self._plan = plan
        self._order = needs
        self._missing = {number: set(tasks) for number, tasks in needs.items()}
        self._features_s = features_s
        self._failures: dict[FitTask, tuple[Failure, ...]] = {}
        self._estimates = Estimates(plan)
        fits = list(dict.fromkeys(task for tasks in needs.values() for task in tasks))
        if plan.spec.jobs != 1:
            fits.sort(key=lambda task: -(self._estimates.of(task) or 0.0))
        self._fits = deque(fits)
        self._scores: deque[ScoreTask] = deque()
        self._busy: deque[tuple[float, Task]] = deque()
        self._started: dict[int, tuple[Task, float]] = {}
        self.width = max(len(fits), len(needs))

    def run(self, executor: Executor, count: Callable[[int], None] = lambda runs: None) -> Iterator[RunRecord]:
        """Do all tasks, and yield each run's record; ``count`` is called at the end of each task, with the runs.

        Raises:
            AsdbenchError: what would meet every task.
        """
        while self._fits or self._scores or self._busy or self._started:
            while executor.free and (found := self._next()) is not None:
                number = executor.submit(perform, *found)
                self._started[number] = found[0], time.perf_counter()
            for number, outcome in executor.results():
                record = self._take(*self._started.pop(number), outcome)
                count(int(record is not None))
                if record is not None:
                    yield record

    def left_s(self, jobs: int) -> float | None:
        """About how long the rest takes; None when nothing is known to tell it from."""
        running = {task: time.perf_counter() - begun for task, begun in self._started.values()}
        waiting = [*self._fits, *self._scores, *(task for _, task in self._busy)]
        unscored = [ScoreTask(number) for number in self._missing]
        return self._estimates.left_s([*waiting, *unscored], running, jobs)

    def advise(self, progress: Progress) -> None:
        """Say that cores lie idle, where that costs a minute or may do so."""
        fits, cores = len(self._fits), self._plan.cores // self._plan.spec.threads
        if self._plan.spec.jobs != 1 or fits < 2 or cores < 2:
            return
        seconds = self._estimates.left_s(self._fits, {}, 1)
        long = fits >= MANY_FITS if seconds is None else seconds > LONG_S
        if long:
            progress.note(f"{fits} fits to do, one at a time; --jobs {min(fits, cores)} does more at once.")

    def _next(self) -> tuple[Task, bool] | None:
        """The next task, and whether to wait for another process that is at it."""
        if self._scores:
            return self._scores.popleft(), False
        if self._busy and time.monotonic() >= self._busy[0][0]:
            return self._busy.popleft()[1], False
        if self._fits:
            return self._fits.popleft(), False
        if self._busy and not self._started:
            return self._busy.popleft()[1], True
        return None

    def _take(self, task: Task, begun: float, outcome: Outcome) -> RunRecord | None:
        """What a task's end sets free; the record of a run."""
        if outcome.error is not None:
            raise outcome.error
        if outcome.value is None and outcome.death is None:
            self._busy.append((time.monotonic() + BUSY_AGAIN_S, task))
            return None
        self._estimates.learn(task, time.perf_counter() - begun)
        if isinstance(task, ScoreTask):
            if outcome.death is None:
                record: RunRecord = outcome.value
                return record
            failures = [*task.failures, failure_of(self._plan, task, outcome.death)]
            return record_failure(self._plan, self._plan.cells[task.cell], failures)
        dead = (failure_of(self._plan, task, outcome.death),) if outcome.death is not None else ()
        self._failures[task] = dead or tuple(outcome.value)
        for number in [number for number, missing in self._missing.items() if task in missing]:
            self._missing[number].discard(task)
            if not self._missing[number]:
                del self._missing[number]
                found = tuple(failure for one in self._order[number] for failure in self._failures[one])
                self._scores.append(ScoreTask(number, found, self._features_s[number]))
        return None


def _build_parts(cells: Sequence[Cell]) -> None:
    """Build everything once before anything is decoded, so that a part that refuses its parameters does so at once."""
    parts = {}
    for cell in cells:
        for component in cell.components:
            parts[component.kind, component.name, repr(component.params)] = component
    for component in parts.values():
        component.build()


def _prepare_features(
    plan: Plan, needs: dict[int, list[FitTask]], progress: Progress
) -> tuple[dict[int, float], dict[int, Failure]]:
    """Decode what the fits want, with all cores and before anything is trained.

    Returns:
        Seconds that it took, by run; and the runs that cannot be done, because a front end failed or, of several data
        sets, the recordings of one cannot be used.
    """
    taken: dict[tuple[int, str], float] = {}
    broken: dict[int, Failure] = {}
    reasons: dict[object, Failure] = {}
    found: dict[int, float] = {}
    for number, tasks in needs.items():
        for cell in plan.cells[number].members or (plan.cells[number],):
            dataset = id(cell.dataset)
            key = (dataset, digest(cell.frontend.identity()))
            own = [task for task in tasks if plan.cells[task.cell].sharing == cell.sharing]
            fits = [Fit(plan.cells[task.cell], task.machines, plan.cache) for task in own]
            if dataset in reasons or key in reasons:
                broken[number] = reasons.get(dataset) or reasons[key]
            elif key not in taken and not all(fit.is_embedded for fit in fits):
                started = time.perf_counter()
                try:
                    EmbeddingStage(cell, plan.cache, named(progress, plan, cell), plan.cores).prepare_features()
                except DataError as error:
                    if len(plan.datasets) == 1:
                        raise
                    reasons[dataset] = broken[number] = Failure(stage="features", machine=None, reason=str(error))
                except AsdbenchError:
                    raise
                except (Exception, SystemExit) as error:  # plugins may raise anything
                    fault = fault_of(error)
                    failure = Failure(stage="features", machine=None, reason=fault.reason, detail=fault.detail)
                    reasons[key] = broken[number] = failure
                taken[key] = time.perf_counter() - started
            found[number] = found.get(number, 0.0) + taken.get(key, 0.0)
    return found, broken
