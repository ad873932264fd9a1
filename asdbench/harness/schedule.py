"""Which task of a plan comes next, and what its end sets free."""

import time
from collections import deque
from collections.abc import Callable, Iterator

from asdbench.core.progress import Progress
from asdbench.harness.cell import record_failure
from asdbench.harness.crew import Crew
from asdbench.harness.estimate import Estimates
from asdbench.harness.plan import Plan
from asdbench.harness.record import Failure, RunRecord
from asdbench.harness.tasks import FitTask, Result, ScoreTask, Task, failure_of

MANY_FITS = 8  # worth a word about --jobs where nothing tells how long they take
LONG_S = 60.0
BUSY_AGAIN_S = 2.0  # how long a task that another process is at is left alone


class Schedule:
    """Which task comes next.

    A run is scored as soon as its last fit is there, before further fits, so that results come early. With several
    processes, fits that take longest come first, so that none of them is left alone at the end.
    """

    def __init__(self, plan: Plan, needs: dict[int, list[FitTask]], features_s: dict[int, float]) -> None:
        self._plan = plan
        self._needs = {number: set(tasks) for number, tasks in needs.items()}
        self._features_s = features_s
        self._order = needs
        self._failures: dict[FitTask, tuple[Failure, ...]] = {}
        self._estimates = Estimates(plan)
        fits = list(dict.fromkeys(task for tasks in needs.values() for task in tasks))
        if plan.spec.jobs != 1:
            fits.sort(key=lambda task: -(self._estimates.of(task) or 0.0))
        self._fits = deque(fits)
        self._scores: deque[ScoreTask] = deque()
        self._busy: deque[tuple[float, Task]] = deque()
        self._started: dict[Task, float] = {}
        self.width = max(len(fits), len(needs))

    def run(self, crew: Crew, tell: Callable[[int], None] = lambda runs: None) -> Iterator[RunRecord]:
        """Keep the crew at work until every run has its record; ``tell`` is called when a task ends, with the runs."""
        while self._fits or self._scores or self._busy or self._started:
            while crew.free and (found := self._next()) is not None:
                task, wait = found
                self._started[task] = time.perf_counter()
                crew.start(task, wait=wait)
            for result in crew.results():
                record = self._take(result)
                tell(int(record is not None))
                if record is not None:
                    yield record

    def left_s(self, jobs: int) -> float | None:
        """About how long the rest takes; None when nothing is known to tell it from."""
        running = {task: time.perf_counter() - begun for task, begun in self._started.items()}
        waiting = [*self._fits, *self._scores, *(task for _, task in self._busy)]
        unscored = [ScoreTask(number) for number in self._needs]
        return self._estimates.left_s([*waiting, *unscored], running, jobs)

    def tell_more_at_once(self, progress: Progress) -> None:
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

    def _take(self, result: Result) -> RunRecord | None:
        task = result.task
        begun = self._started.pop(task)
        if result.error is not None:
            raise result.error
        if result.busy:
            self._busy.append((time.monotonic() + BUSY_AGAIN_S, task))
            return None
        self._estimates.learn(task, time.perf_counter() - begun)
        if isinstance(task, ScoreTask):
            if result.death is None:
                return result.record
            cell = self._plan.cells[task.cell]
            return record_failure(self._plan, cell, [*task.failures, failure_of(self._plan, task, result.death)])
        failures = result.failures
        if result.death is not None:
            failures = (failure_of(self._plan, task, result.death),)
        self._failures[task] = failures
        for number, tasks in list(self._needs.items()):
            if task in tasks:
                tasks.discard(task)
                if not tasks:
                    del self._needs[number]
                    found = tuple(failure for one in self._order[number] for failure in self._failures[one])
                    self._scores.append(ScoreTask(number, found, self._features_s[number]))
        return None
