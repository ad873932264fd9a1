"""How many threads torch shares its work among."""

from collections.abc import Iterator
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
