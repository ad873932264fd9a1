"""Where child processes come from: a server that has imported what they need, and computed nothing, forks them.

Imports take each new process seconds. The server does them once, while the command opens its recordings. Unlike forks
of the command itself, forks of the server may use torch's threads and a GPU.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from asdbench.core.errors import AsdbenchError
from asdbench.harness.child import end_with_parent, in_environment, interrupts_ignored
from asdbench.harness.request import asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.registry import load_catalog

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
NEEDED = ("asdbench.cli.app", "asdbench.harness.run", "asdbench.harness.worker", "scipy.stats", "sklearn.metrics")


def prepare(spec: RunSpec, needed: Sequence[str] = ()) -> None:
    """Start the server, so that all is imported when the first child is wanted; nothing where none will be.

    Args:
        spec: what will be done.
        needed: modules, besides those of the spec's components.
    """
    if METHOD == "forkserver" and spec.engine == "local" and spec.jobs != 1:
        forkserver.set_forkserver_preload([*NEEDED, *needed, *_modules(spec)])
        _Server.serves(spec.threads)


def start_child(target: Callable[..., None], *args: Any, threads: int) -> tuple[BaseProcess, Connection]:
    """Start a process that calls ``target(line, *args)``, takes no Ctrl-C and ends when this one has.

    Args:
        target: a function of a module.
        args: that can be pickled.
        threads: of each library for numbers.

    Returns:
        The process, and this end of the line to it.
    """
    method = METHOD if METHOD == "forkserver" and _Server.serves(threads) else "spawn"
    context: Any = multiprocessing.get_context(method)
    line, other = context.Pipe()
    environ = {**os.environ, "OMP_NUM_THREADS": str(threads)}  # the server's is as old as itself
    process: BaseProcess = context.Process(target=_begin, args=(environ, target, other, *args), daemon=True)
    if method == "spawn":
        with in_environment(OMP_NUM_THREADS=str(threads)), interrupts_ignored():
            process.start()
    else:
        process.start()
    other.close()
    return process, line


class _Server:
    """The one of this process."""

    threads: int | None = None

    @classmethod
    def serves(cls, threads: int) -> bool:
        """Whether its forks have as many threads; libraries settle that when they are imported. Starts it."""
        if cls.threads is None:
            cls.threads = threads
        if cls.threads == threads:
            # What lies in the current folder is not to be imported; Ctrl-C is for the command.
            with in_environment(OMP_NUM_THREADS=str(threads), PYTHONSAFEPATH="1"), interrupts_ignored():
                forkserver.ensure_running()
        return cls.threads == threads


def _begin(environ: dict[str, str], target: Callable[..., None], *args: Any) -> None:
    """The first thing that a child does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    os.environ.clear()
    os.environ.update(environ)
    target(*args)


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
