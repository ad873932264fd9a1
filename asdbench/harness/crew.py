"""Who does the tasks: this process, or several of its own."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Protocol

from asdbench.core.progress import Progress
from asdbench.harness.child import Relay, cause_of_death
from asdbench.harness.forking import start_child
from asdbench.harness.plan import Plan
from asdbench.harness.tasks import Result, Task, perform
from asdbench.harness.worker import work


class Crew(Protocol):
    """Does tasks, some at a time."""

    @property
    def width(self) -> int:
        """How many tasks are done at a time."""

    @property
    def free(self) -> int:
        """How many more tasks can be started now."""

    def start(self, task: Task, *, wait: bool) -> None:
        """Begin a task; ``wait`` for another command that is at it."""

    def results(self) -> Iterator[Result]:
        """What has ended; waits until something has, or more can be started."""


@contextmanager
def hire(plan: Plan, most: int, progress: Progress) -> Iterator[Crew]:
    """The crew that the command asks for; it goes when it is left.

    Args:
        plan: the command.
        most: tasks that there can be at a time.
        progress: where stages and notes are shown.

    Raises:
        RequirementError: the engine is not there.
    """
    if plan.spec.engine == "ray":
        from asdbench.harness.cluster.crew import RayCrew

        with RayCrew(plan, progress) as cluster:
            yield cluster
        return
    count = min(most_at_once(plan), most)
    if count > 1:
        with Workers(plan, count, progress) as workers:
            yield workers
    else:
        yield Alone(plan, progress)


def most_at_once(plan: Plan) -> int:
    """Tasks that the engine does at a time, where there are as many."""
    if plan.spec.jobs or plan.spec.engine == "local":
        return plan.spec.jobs or plan.cores
    from asdbench.harness.cluster.crew import slots_of

    return slots_of(plan)


class Alone:
    """Does one task at a time, in this process."""

    width = 1

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._ended: list[Result] = []

    @property
    def free(self) -> int:
        """One, unless a result waits to be taken."""
        return 1 - len(self._ended)

    def start(self, task: Task, *, wait: bool) -> None:
        """Do the task."""
        self._ended.append(perform(self._plan, task, self._progress, wait=wait))

    def results(self) -> Iterator[Result]:
        """The task's result."""
        ended, self._ended = self._ended, []
        yield from ended


class Workers:
    """Processes of this command, each with its share of the cores. One that dies takes its task with it, no other.

    Use as a context manager; leaving it ends the processes.
    """

    def __init__(self, plan: Plan, count: int, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self.width = count
        self._cores = max(1, plan.cores // count)
        self._idle: list[_Worker] = [_Worker(plan, self._cores) for _ in range(count)]
        self._at_work: dict[Connection, _Worker] = {}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (*self._idle, *self._at_work.values()):
            worker.end()

    @property
    def free(self) -> int:
        """Workers without a task."""
        return len(self._idle)

    def start(self, task: Task, *, wait: bool) -> None:
        """Hand the task to an idle worker."""
        worker = self._idle.pop(0)
        if not worker.alive:
            worker.end()
            worker = _Worker(self._plan, self._cores)
        worker.start(task, wait, self._progress)
        self._at_work[worker.line] = worker

    def results(self) -> Iterator[Result]:
        """Relay what workers report until tasks have ended."""
        while self._at_work:
            ended = []
            for line in wait(list(self._at_work)):
                assert isinstance(line, Connection)
                worker = self._at_work[line]
                result = worker.hear()
                if result is None:
                    continue
                ended.append(result)
                del self._at_work[line]
                if result.death is not None:
                    worker.end()
                    worker = _Worker(self._plan, self._cores)
                self._idle.append(worker)
            if ended:
                yield from ended
                return


class _Worker:
    """One process and the line to it."""

    def __init__(self, plan: Plan, cores: int) -> None:
        self._process, self.line = start_child(work, plan, cores, threads=plan.spec.threads)
        self._task: Task | None = None
        self._relay: Relay | None = None

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def start(self, task: Task, wait: bool, progress: Progress) -> None:
        self._task, self._relay = task, Relay(progress)
        with suppress(OSError):  # a worker that has died meanwhile is noticed when it is listened to
            self.line.send((task, wait))

    def hear(self) -> Result | None:
        """Take one message; the result when it is that."""
        assert self._task is not None
        assert self._relay is not None
        try:
            kind, *content = self.line.recv()
        except (EOFError, OSError):
            self._relay.close()
            self._process.join(5)
            return Result(self._task, death=cause_of_death(self._process.exitcode))
        if kind == "result":
            self._relay.close()
            result: Result = content[0]
            return result
        self._relay.take(kind, *content)
        return None

    def end(self) -> None:
        """Stop the process, whatever it does; files are written whole, so nothing is spoilt."""
        if self._relay is not None:
            self._relay.close()
        self.line.close()
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
