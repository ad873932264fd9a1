"""Threads: how many libraries share their work among, and one that does something now and then."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """Let no library of linear algebra and no OpenMP share its sums among threads, on whose number they depend."""
    limited: AbstractContextManager[object] = _libraries(len(sys.modules)).limit(limits=1)
    return limited


@lru_cache(1)
def _libraries(_modules: int) -> "ThreadpoolController":
    """Those that are loaded. Looking takes 10 ms, and is done anew only when modules, which bring them, were added."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch share its sums among ``count`` threads, on which their last digits depend.

    Work that is small or parallel already gains little from several, and suffers much from other work on the machine.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def every(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """Call ``action`` now and then, in a thread of its own, as long as the context lasts."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            action()

    thread = threading.Thread(target=repeat, name="every", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(seconds)


def pool_of_threads(jobs: int) -> ThreadPoolExecutor:
    """Threads that share their sums among as many others as the one that calls this does.

    A thread of any other pool takes all cores for every product and Fourier transform until it asks torch for its
    number, so that several of them are in each other's way.
    """
    import torch

    return ThreadPoolExecutor(jobs, initializer=torch.get_num_threads)
