"""Tasks in several processes of this machine, forked from a server that has imported what they need."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Client
from typing import Any, Self

from threadpoolctl import threadpool_limits

from asdbench.core.progress import Progress
from asdbench.harness.executors import Function, Outcome, outcome_of
from asdbench.harness.remote_progress import ProgressReceiver, RemoteProgress

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


class Processes:
    """Several tasks at a time in processes of this machine. One that dies takes its own task along and no other.

    Args:
        shared: first argument of every task.
        count: processes.
        cores: of the machine, which the processes share.
        threads: of each library for numbers in each process.
        progress: where tasks report.
    """

    def __init__(self, shared: Any, count: int, cores: int, threads: int, progress: Progress) -> None:
        self._shared = shared
        self.width = count
        self._cores = max(1, cores // count)
        self._threads = threads
        self._progress = progress
        self._stack = ExitStack()
        self._count = 0
        self._futures: dict[Future[Outcome], int] = {}

    def __enter__(self) -> Self:
        from pebble import ProcessPool

        with ExitStack() as stack:
            receiver = stack.enter_context(ProgressReceiver(self._progress))
            start_server(self._threads)
            self._pool = ProcessPool(
                max_workers=self.width,
                context=multiprocessing.get_context(METHOD),
                initializer=_begin,
                initargs=(self._shared, receiver.address, self._threads, dict(os.environ)),
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

    def submit(self, function: Function, *args: Any) -> int:
        """Hand the task to a process."""
        self._count += 1
        with _environment(self._threads), interrupts_ignored():  # a process may be started here
            future = self._pool.schedule(_do, args=(function, args, self._cores))
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


def _do(function: Function, args: tuple[Any, ...], cores: int) -> Outcome:
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
