"""How tasks are done: in this process, in several processes of this machine, or on a Ray cluster.

A task is a function of a module with its arguments. The executor puts what all tasks share in front of them, which
travels to each process once, and adds ``progress`` and ``cores``: ``function(shared, *args, progress=..., cores=...)``.
``run`` and ``tune`` hand over the same kind.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from asdbench.core.errors import AsdbenchError
from asdbench.core.faults import fault_of
from asdbench.core.progress import Progress

if TYPE_CHECKING:
    from asdbench.harness.plan import Plan

Function = Callable[..., Any]


@dataclass(frozen=True)
class Outcome:
    """What came of a task."""

    value: Any = None  # what the function returned
    error: AsdbenchError | None = None  # an error with a message for the user that it raised
    # Why the task came to no end: its process died, or it raised what nobody foresaw; with the traceback
    death: str | None = None
    process_died: bool = False  # whether it was that, so that another try may come to an end


class Executor(Protocol):
    """Does tasks, some at a time. Use as a context manager; leaving it ends what is under way."""

    @property
    def width(self) -> int:
        """Tasks that are done at a time."""

    @property
    def free(self) -> int:
        """How many more tasks can be begun now."""

    def submit(self, function: Function, *args: Any) -> int:
        """Begin a task; its number, by which ``results`` calls it."""

    def results(self) -> Iterator[tuple[int, Outcome]]:
        """What has ended; waits until something has, or until more can be begun."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def executor_for(plan: "Plan", most: int, progress: Progress) -> Executor:
    """The executor that the command asks for; ``most`` tasks can be done at a time.

    Raises:
        RequirementError: the engine is not there.
    """
    if plan.spec.engine == "ray":
        from asdbench.harness.cluster.executor import RayExecutor

        return RayExecutor(plan, progress)
    count = min(tasks_at_once(plan), most)
    if count > 1:
        from asdbench.harness.processes import Processes

        return Processes(plan, count, plan.cores, plan.spec.threads, progress)
    return Serial(plan, plan.cores, progress)


def tasks_at_once(plan: "Plan") -> int:
    """Tasks that the engine does at a time, where there are as many."""
    if plan.spec.jobs or plan.spec.engine == "local":
        return plan.spec.jobs or plan.cores
    from asdbench.harness.cluster.executor import cluster_slots

    return cluster_slots(plan)


def outcome_of(function: Function, *args: Any, **options: Any) -> Outcome:
    """Do a task here. Whatever goes wrong is part of the outcome."""
    try:
        return Outcome(function(*args, **options))
    except AsdbenchError as error:
        return Outcome(error=error)
    except (Exception, SystemExit) as error:  # plugins may raise anything
        fault = fault_of(error)
        return Outcome(death=f"{fault.reason}\n{fault.detail}")


class Serial:
    """One task at a time, in this process, with all its ``cores``."""

    width = 1

    def __init__(self, shared: Any, cores: int, progress: Progress) -> None:
        self._shared = shared
        self._cores = cores
        self._progress = progress
        self._count = 0
        self._waiting: deque[tuple[int, Function, tuple[Any, ...]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.clear()

    @property
    def free(self) -> int:
        """One, unless a task waits."""
        return 1 - len(self._waiting)

    def submit(self, function: Function, *args: Any) -> int:
        """Let the task wait until results are asked for."""
        self._count += 1
        self._waiting.append((self._count, function, args))
        return self._count

    def results(self) -> Iterator[tuple[int, Outcome]]:
        """Do the task that waits."""
        if self._waiting:
            number, function, args = self._waiting.popleft()
            yield number, outcome_of(function, self._shared, *args, progress=self._progress, cores=self._cores)
