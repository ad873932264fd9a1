"""Batches made ready while the network is busy with the one before."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

T = TypeVar("T")


def prefetched(batches: Iterable[T]) -> Iterator[T]:
    """The same batches in the same order, each made in a thread while the one before is used.

    What making one raises is raised here, when it is its turn. ``batches`` must use random numbers of its own, as
    torch's belong to the training.
    """
    source = iter(batches)
    end = object()
    with ThreadPoolExecutor(1, "batches") as pool:
        coming = pool.submit(next, source, end)
        while (batch := coming.result()) is not end:
            coming = pool.submit(next, source, end)
            yield batch  # type: ignore[misc]


def to_device(images: NDArray[Any], device: str) -> Tensor:
    """Float32 images (batch, channels, height, width) on the device, with channels last in memory.

    The way to a GPU is through pinned memory, so that nobody waits for it.
    """
    batch = torch.from_numpy(images).float()
    if device == "cpu":
        return batch.to(memory_format=torch.channels_last)
    return batch.pin_memory().to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
