"""From features to batches on the device."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asdbench.extractors.base import Context

T = TypeVar("T")
LEAST_SPREAD = 1e-6  # features that are all the same become zeros, not infinities


def minibatches(items: Any, size: int) -> list[Any]:
    """A list or an array, ``size`` items at a time; a single last one is left out: batch normalisation needs two."""
    return [items[start : start + size] for start in range(0, len(items), size) if len(items) - start > 1]


def prefetched(batches: Iterable[T]) -> Iterator[T]:
    """The same batches in the same order, each made in a thread while the one before is used.

    What making one raises is raised here, when it is its turn. ``batches`` must not use torch's
    global random numbers, which belong to the training.
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


def common_length(keys: Sequence[str], crop_s: float, context: Context) -> int:
    """Frames of the longest cut that each of the clips has; at most ``crop_s`` seconds, where that is not 0."""
    shortest = min(context.features.shape(key)[-1] for key in keys)
    return min(shortest, max(1, round(crop_s * context.frame_rate_hz))) if crop_s else shortest


def whole_clips(keys: Sequence[str], at_once: int, context: Context) -> Iterator[Tensor]:
    """Features of training clips on the context's device, as far as the shortest of them reaches, batch by batch.

    Args:
        keys: of the clips, at least two.
        at_once: clips in a batch, about; two at least, which batch normalisation needs.
        context: features and device.
    """
    shortest = common_length(keys, 0.0, context)
    for chosen in np.array_split(np.array(keys), max(1, len(keys) // max(2, at_once))):
        features = np.stack([np.asarray(context.features[key][..., :shortest], np.float32) for key in chosen])
        yield to_device(features, context.device)


def mean_and_spread(keys: Sequence[str], context: Context) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over all features of the clips, scalars; networks standardise their input by them."""
    count, total, squares = 0, 0.0, 0.0
    for key in keys:
        values = np.asarray(context.features[key], np.float64)
        count += values.size
        total += values.sum()
        squares += np.square(values).sum()
    mean = total / count
    spread = max(squares / count - mean**2, LEAST_SPREAD**2) ** 0.5
    return torch.tensor(float(mean)), torch.tensor(float(spread))
