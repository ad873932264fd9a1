"""How tasks are done: in this process, in several processes of this machine, or on a Ray cluster.

A task is a function of a module with its arguments. The executor puts what all tasks share in front of them, which
travels to each process once, and adds ``progress`` and ``cores``: ``function(shared, *args, progress=..., cores=...)``.
``run`` and ``tune`` hand over the same kind.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Client
from typing import TYPE_CHECKING, Any, Protocol, Self

from threadpoolctl import threadpool_limits

from asdbench.core.errors import AsdbenchError
from asdbench.core.faults import fault_of
from asdbench.core.progress import Progress
from asdbench.harness.remote_progress import ProgressReceiver, RemoteProgress

if TYPE_CHECKING:
    from asdbench.harness.plan import Plan

Function = Callable[..., Any]
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


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

    def submit(self, function: Function, *args: Any, progress: Progress) -> int:
        """Begin a task, which reports to ``progress``; its number, by which ``results`` calls it."""

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
        return Processes(plan, count, plan.cores, plan.spec.threads)
    return Serial(plan, plan.cores)


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
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # plugins may raise anything
        fault = fault_of(error)
        return Outcome(death=f"{fault.reason}\n{fault.detail}")


class Serial:
    """One task at a time, in this process, with all its ``cores``."""

    width = 1

    def __init__(self, shared: Any, cores: int) -> None:
        self._shared = shared
        self._cores = cores
        self._count = 0
        self._waiting: deque[tuple[int, Function, tuple[Any, ...], Progress]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.clear()

    @property
    def free(self) -> int:
        """One, unless a task waits."""
        return 1 - len(self._waiting)

    def submit(self, function: Function, *args: Any, progress: Progress) -> int:
        """Let the task wait until results are asked for."""
        self._count += 1
        self._waiting.append((self._count, function, args, progress))
        return self._count

    def results(self) -> Iterator[tuple[int, Outcome]]:
        """Do the task that waits."""
        if self._waiting:
            number, function, args, progress = self._waiting.popleft()
            yield number, outcome_of(function, self._shared, *args, progress=progress, cores=self._cores)


class Processes:
    """Several tasks at a time in processes of this machine. One that dies takes its own task along and no other.

    Args:
        shared: first argument of every task.
        count: processes.
        cores: of the machine, which the processes share.
        threads: of each library for numbers in each process.
    """

    def __init__(self, shared: Any, count: int, cores: int, threads: int) -> None:
        self._shared = shared
        self.width = count
        self._cores = max(1, cores // count)
        self._threads = threads
        self._stack = ExitStack()
        self._count = 0
        self._futures: dict[Future[Outcome], int] = {}

    def __enter__(self) -> Self:
        from pebble import ProcessPool

        with ExitStack() as stack:
            self._receiver = stack.enter_context(ProgressReceiver())
            start_server(self._threads)
            self._pool = ProcessPool(
                max_workers=self.width,
                context=multiprocessing.get_context(METHOD),
                initializer=_begin,
                initargs=(self._shared, self._receiver.address, self._threads, dict(os.environ)),
            )
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _end(self) -> None:
        """Files are written whole, so nothing is spoilt."""
        self._pool.stop()  # type: ignore[no-untyped-call]  # pebble's
        self._pool.join()

    @property
    def free(self) -> int:
        """Processes without a task."""
        return self.width - len(self._futures)

    def submit(self, function: Function, *args: Any, progress: Progress) -> int:
        """Hand the task to a process."""
        self._count += 1
        self._receiver.expect(self._count, progress)
        with _environment(self._threads), interrupts_ignored():  # a process may be started here
            future = self._pool.schedule(_do, args=(self._count, function, args, self._cores))
        self._futures[future] = self._count
        return self._count

    def results(self) -> Iterator[tuple[int, Outcome]]:
        """Wait until a task has ended."""
        from pebble import ProcessExpired

        done, _ = wait(self._futures, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda one: self._futures[one]):
            number = self._futures.pop(future)
            try:
                yield number, future.result()
            except ProcessExpired as error:
                yield number, Outcome(death=_cause_of_death(error.exitcode), process_died=True)


def start_server(threads: int, modules: Sequence[str] = ()) -> None:
    """Start the server that processes are forked from; it has imported what they need, which takes each seconds."""
    if METHOD != "forkserver":
        return
    if modules:
        forkserver.set_forkserver_preload(list(modules))
    with _environment(threads), interrupts_ignored():
        forkserver.ensure_running()


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        why = ", most likely for want of memory" if name == "SIGKILL" else ""
        return f"its process was killed ({name}{why}). With fewer --jobs each has more memory."
    return f"its process ended without a word (exit code {exit_code})."


class _Worker:
    """What a worker process knows, for all of its tasks."""

    shared: Any = None
    progress: RemoteProgress


def _begin(shared: Any, address: Any, threads: int, environ: dict[str, str]) -> None:
    """The first thing that a process does; the server's environment is as old as itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environ | {"OMP_NUM_THREADS": str(threads)})
    threadpool_limits(threads)  # the server may have been started for another number
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    _Worker.shared = shared
    connection = Client(address, authkey=bytes(multiprocessing.current_process().authkey))
    _Worker.progress = RemoteProgress(connection.send)


def _do(number: int, function: Function, args: tuple[Any, ...], cores: int) -> Outcome:
    _Worker.progress.send("task", number)
    return outcome_of(function, _Worker.shared, *args, progress=_Worker.progress, cores=cores)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """What is started within never takes Ctrl-C, not even while it imports: the command does, and ends it."""
    if threading.current_thread() is not threading.main_thread():  # only that one may say so
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """What lies in the current folder is not to be imported by what is started within."""
    values = {"OMP_NUM_THREADS": str(threads), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
