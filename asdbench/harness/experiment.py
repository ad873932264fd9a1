"""All runs of a command: what they share is done once, and each is recorded as soon as its fits are there."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from asdbench.core.errors import AsdbenchError
from asdbench.core.files import clear_write_errors, require_replaceable
from asdbench.core.progress import Progress
from asdbench.core.threads import every
from asdbench.harness.estimate import Estimates, UnderWay
from asdbench.harness.executors import Executor, Outcome, executor_for, start_server
from asdbench.harness.features import prepare_features
from asdbench.harness.fits import Fit
from asdbench.harness.pace import WatchedProgress
from asdbench.harness.pipeline import record_failure, recorded_run
from asdbench.harness.plan import Plan
from asdbench.harness.record import Failure, RunRecord
from asdbench.harness.request import asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.harness.stacks import MOST, kind_of_fit
from asdbench.harness.tasks import FitTask, ScoreTask, Task, failure_of, fit_tasks, perform, perform_stack
from asdbench.registry import Component, load_catalog

MANY_FITS = 8  # worth a note about --jobs where no past run says how long they take
LONG_S = 60.0
NEEDED = ("asdbench.cli.app", "asdbench.harness.experiment", "scipy.stats", "sklearn.metrics")  # of processes
COUNT_EVERY_S = 1.0  # the remaining time
BUSY_AGAIN_S = 2.0  # how long a task that another process is at is left alone


def execute(plan: Plan, progress: Progress) -> Iterator[RunRecord]:
    """Do every run of the plan and yield its record as it comes; a run that was done before is read.

    Records of runs that are only implied, members of ensembles, are not yielded. A run that fails is recorded with its
    reason and the others go on. Nothing of a run is visible before all of it is there. Where another process is at the
    same, other work is done first.

    Raises:
        RequirementError: recordings that cannot be used.
        UsageError: a parameter that a component itself refuses.
        DiskFullError: something cannot be written.
    """
    for warning in plan.warnings:
        progress.note(warning)
    implied = {cell.run_id for cell in plan.cells if cell.implied}
    to_do = []
    for number, cell in enumerate(plan.cells):
        record = recorded_run(plan, cell, progress.note)
        if record is None:
            to_do.append(number)
            continue
        for note in record.notes:
            progress.note(f"{cell.name}: {note}")
        if not cell.implied:
            yield record
    if to_do:
        yield from (record for record in _do(plan, to_do, progress) if record.run_id not in implied)


def _do(plan: Plan, to_do: Sequence[int], progress: Progress) -> Iterator[RunRecord]:
    """Do runs of the plan, by their numbers."""
    components: dict[tuple[str, str, str], Component] = {}
    for cell in (plan.cells[number] for number in to_do):
        folder = plan.spec.out / cell.run_id
        with clear_write_errors(folder, "--out DIR"):
            require_replaceable(folder)
        components |= {(one.kind, one.name, repr(one.params)): one for one in cell.components}
    for component in components.values():
        component.build()  # so that one that refuses its parameters does so before anything is decoded
    needs = fit_tasks(plan, to_do)
    if plan.spec.fresh:
        for task in dict.fromkeys(task for tasks in needs.values() for task in tasks):
            fit = Fit(plan.cells[task.cell], task.machines, plan.cache)
            fit.forget(lambda: progress.note("Another process is training the same; waiting for it."))
    features_s, broken = prepare_features(plan, needs, progress)
    for number, failure in broken.items():
        del needs[number]
        yield record_failure(plan, plan.cells[number], [failure])
    matrix = Matrix(plan, needs, features_s)
    with ExitStack() as stack:
        executor = stack.enter_context(executor_for(plan, matrix.width, progress))
        matrix.advise(progress)
        overall = stack.enter_context(progress.overall("runs", len(to_do))) if len(to_do) > 1 else None

        ended, counted, counting = len(broken), 0, threading.Lock()

        def count() -> None:
            nonlocal counted
            if overall is not None:
                with counting:
                    left_s = matrix.left_s(min(executor.width, matrix.width))
                    steps, counted = ended - counted, ended
                    overall.advance(steps, left_s=left_s)

        count()
        stack.enter_context(every(COUNT_EVERY_S, count))  # not at each task's end: it looks at all that are left
        for record in matrix.run(executor, progress):
            ended += 1
            yield record
        count()


def prepare(spec: RunSpec, needed: Sequence[str] = ()) -> None:
    """Let what processes need be imported while the recordings are opened; nothing where there will be none.

    ``needed`` are modules, besides those of asdbench's own components.
    """
    if spec.engine != "local" or spec.jobs == 1:
        return
    components = []
    try:
        catalog = load_catalog(spec.plugin_path)
        for stages in asked_stages(spec, catalog):
            for kind, names in stages.names().items():
                components += [catalog.component(f"{kind}s", name) for name in names]
    except AsdbenchError:
        components = []  # what is wrong with what was asked is reported when the plan is made
    modules = {one.card.target.partition(":")[0] for one in components if one.home is None}
    if any("epochs" in one.params for one in components):
        modules.add("torch._dynamo")  # which counting a network's operations imports
    start_server(spec.threads, [*NEEDED, *needed, *sorted(modules)])


class Matrix:
    """Which task comes next, and what its end sets free.

    A run is scored as soon as its last fit is there, before further fits, so that results come early. One run of each
    scorer comes first, and one fit of each extractor that nothing is known of, since the remaining time is estimated by
    them; then, with several processes, the fits that take longest, so that none of them is left alone at the end.

    Args:
        plan: the command.
        needs: the fits of each run, by its number.
        features_s: seconds that decoding took, by run.
    """

    def __init__(self, plan: Plan, needs: dict[int, list[FitTask]], features_s: dict[int, float]) -> None:
        self._plan = plan
        self._needs = needs
        self._missing = {number: set(tasks) for number, tasks in needs.items()}
        self._features_s = features_s
        self._failures: dict[FitTask, tuple[Failure, ...]] = {}
        self._estimates = Estimates(plan)
        fits = list(dict.fromkeys(task for tasks in needs.values() for task in tasks))
        tasks: list[Task] = [*fits, *map(ScoreTask, needs)]
        self._untried = {self._estimates.kind(task) for task in tasks}  # kinds of which none has begun
        self._fits = deque(fits)
        self._order()
        self._scores: deque[ScoreTask] = deque()
        self._busy: deque[tuple[float, Task]] = deque()  # which another process is at, and when to try again
        self._started: dict[int, tuple[Sequence[Task], float, WatchedProgress]] = {}
        self._kinds: dict[str, str | None] = {}
        self._alone: set[Task] = set()  # whose stack came to no end
        self.width = max(len(fits), len(needs))

    def run(self, executor: Executor, progress: Progress) -> Iterator[RunRecord]:
        """Do all tasks, which report to ``progress``, and yield each run's record.

        Raises:
            AsdbenchError: what would meet every task.
        """
        while self._fits or self._scores or self._busy or self._started:
            while executor.free and (next_one := self._next()) is not None:
                task, wait = next_one
                self._untried.discard(self._estimates.kind(task))
                stack = self._stack(task, executor.width)
                function, args = (perform_stack, (stack,)) if len(stack) > 1 else (perform, (task, wait))
                watched = WatchedProgress(progress)
                number = executor.submit(function, *args, progress=watched)
                self._started[number] = stack, time.perf_counter(), watched
            for number, outcome in executor.results():
                stack, began, _ = self._started.pop(number)
                for task, begun, of_task in self._each(stack, began, outcome):
                    record = self._take(task, begun, of_task)
                    if record is not None:
                        yield record

    def left_s(self, jobs: int) -> float | None:
        """About how long the rest takes by so many processes; None when nothing is known."""
        now = time.perf_counter()
        under_way = []
        for tasks, begun, watched in list(self._started.values()):  # at once: progress comes from other threads
            fits = [alike[0] for alike in self._by_fit(tasks)]
            under_way.append(UnderWay(fits or tasks, now - begun, watched.left_s(len(fits or tasks))))
        begun_tasks = dict.fromkeys(task for one in under_way for task in one.tasks)
        ahead = self._by_fit([*begun_tasks, *self._fits, *(task for _, task in list(self._busy))])
        waiting: list[Task] = [alike[0] for alike in ahead if alike[0] not in begun_tasks]
        unscored = [ScoreTask(number) for number in list(self._missing)]
        return self._estimates.left_s([*waiting, *self._scores, *unscored], under_way, jobs)

    def advise(self, progress: Progress) -> None:
        """Say that cores lie idle, where that costs a minute or may do so."""
        fits, cores = sum(self._kind(task) is None for task in self._fits), self._plan.cores // self._plan.spec.threads
        if self._plan.spec.jobs != 1 or fits < 2 or cores < 2:
            return
        seconds = self._estimates.left_s(self._fits, [], 1)
        if fits >= MANY_FITS if seconds is None else seconds > LONG_S:
            progress.note(f"{fits} fits to do, one at a time; --jobs {min(fits, cores)} does more at once.")

    def _order(self) -> None:
        """Sort the fits that have not begun."""
        seconds = {task: self._estimates.of(task) for task in self._fits}
        unknown: dict[str, FitTask] = {}
        for task in self._fits:
            if seconds[task] is None and (kind := self._estimates.kind(task)) in self._untried:
                unknown.setdefault(kind, task)
        rest = [task for task in self._fits if task not in unknown.values()]
        if self._plan.spec.jobs != 1:
            rest.sort(key=lambda task: -(seconds[task] or 0.0))
        self._fits = deque([*unknown.values(), *rest])

    def _next(self) -> tuple[Task, bool] | None:
        """The next task, and whether to wait for another process that is at it."""
        if self._scores:
            waiting = self._scores if self._untried else ()
            untried = (task for task in waiting if self._estimates.kind(task) in self._untried)
            task = next(untried, self._scores[0])
            self._scores.remove(task)
            return task, False
        if self._busy and time.monotonic() >= self._busy[0][0]:
            return self._busy.popleft()[1], False
        if self._fits:
            return self._fits.popleft(), False
        if self._busy and not self._started:
            return self._busy.popleft()[1], True
        return None

    def _stack(self, task: Task, width: int) -> Sequence[Task]:
        """The task, and of the fits that are left its share of those that can be done together with it.

        Each of ``width`` processes has a share, those that are at other tasks too: they take theirs when they are free.
        """
        kind = self._kind(task)
        if kind is None:
            return [task]
        alike = self._by_fit([task, *(other for other in self._fits if self._kind(other) == kind)])
        at_it = sum(self._kind(tasks[0]) == kind for tasks, _, _ in self._started.values())
        share = min(math.ceil(len(alike) / max(1, width - at_it)), MOST[self._plan.device])
        stack = [one for tasks in alike[:share] for one in tasks]
        for other in stack[1:]:
            self._fits.remove(other)
        return stack

    def _by_fit(self, tasks: Iterable[Task]) -> list[list[FitTask]]:
        """Fits, each with all tasks that want it; they differ in how what is fitted is read."""
        fits: dict[tuple[int, str], list[FitTask]] = {}
        for task in tasks:
            if isinstance(task, FitTask):
                cell = self._plan.cells[task.cell]
                fits.setdefault((id(cell.dataset), cell.fit_key(task.machines)), []).append(task)
        return list(fits.values())

    def _kind(self, task: Task) -> str | None:
        """Equal for fits that can be done together."""
        if isinstance(task, ScoreTask) or task in self._alone or self._plan.spec.engine != "local":
            return None
        cell = self._plan.cells[task.cell]
        if cell.sharing not in self._kinds:
            self._kinds[cell.sharing] = kind_of_fit(cell)
        return self._kinds[cell.sharing]

    def _each(self, stack: Sequence[Task], begun: float, outcome: Outcome) -> Iterator[tuple[Task, float, Outcome]]:
        """What came of each task of a stack; where it came to no end, each is tried alone."""
        if len(stack) == 1:
            yield stack[0], begun, outcome
        elif outcome.value is None and outcome.error is None:
            self._alone.update(stack)
            self._fits.extendleft(task for task in reversed(stack) if isinstance(task, FitTask))
        else:
            took = (time.perf_counter() - begun) / len(self._by_fit(stack))
            values = outcome.value or [None] * len(stack)
            for task, value in zip(stack, values, strict=True):
                yield task, time.perf_counter() - took, replace(outcome, value=value)

    def _take(self, task: Task, begun: float, outcome: Outcome) -> RunRecord | None:
        """What a task's end sets free; the record of a run."""
        if outcome.error is not None:
            raise outcome.error
        if outcome.value is None and outcome.death is None:
            self._busy.append((time.monotonic() + BUSY_AGAIN_S, task))
            return None
        first = self._estimates.learn(task, time.perf_counter() - begun)
        if first and isinstance(task, FitTask):
            self._order()
        deaths = () if outcome.death is None else (failure_of(self._plan, task, outcome.death),)
        if isinstance(task, ScoreTask):
            if deaths:
                return record_failure(self._plan, self._plan.cells[task.cell], [*task.failures, *deaths])
            record: RunRecord = outcome.value
            return record
        self._failures[task] = deaths or tuple(outcome.value)
        for number in [number for number, missing in self._missing.items() if task in missing]:
            self._missing[number].discard(task)
            if not self._missing[number]:
                del self._missing[number]
                failures = tuple(failure for fit in self._needs[number] for failure in self._failures[fit])
                self._scores.append(ScoreTask(number, failures, self._features_s[number]))
        return None
