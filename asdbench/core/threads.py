"""How many threads torch shares its work among."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


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


def pool_of_threads(jobs: int) -> ThreadPoolExecutor:
    """Threads that share their sums among as many others as the one that calls this does.

    A thread of any other pool takes all cores for every product and Fourier transform until it asks torch for its
    number, so that several of them are in each other's way.
    """
    import torch

    return ThreadPoolExecutor(jobs, initializer=torch.get_num_threads)
