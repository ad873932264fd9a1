"""Means and variances of batch normalisation, computed anew for a network whose weights stay."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

END = object()


class RunningMoments(nn.Module):
    """Base of normalisation layers that are not torch's: running mean and variance of each channel.

    Attributes:
        momentum: share of the newest batch in them.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def reset_running_stats(self) -> None:
        """Begin anew, as torch's layers do."""
        self.mean.zero_()
        self.variance.fill_(1.0)


@torch.no_grad()
def recompute(network: nn.Module, passes: Iterable[object]) -> None:
    """Set every running mean and variance to the average over the batches; the network is in evaluation mode then.

    In training each layer standardises by the statistics of the batch, in evaluation mode by running averages, which
    after few batches are mostly what they began with, and later those of weights that are no more. Only layers of
    batch normalisation are put in training mode meanwhile, so dropout is none and nothing else moves. With an epoch of
    training for batches this is what ``torch.optim.swa_utils.update_bn`` does.

    Args:
        network: on its device.
        passes: each step of it passes one batch through the network.
    """
    layers: list[Any] = [layer for layer in network.modules() if _has_statistics(layer)]
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.train()
    try:
        steps = iter(passes if layers else ())
        for number in count(1):
            for layer in layers:
                layer.momentum = 1.0 / number  # the average of all batches so far
            if next(steps, END) is END:
                break
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        network.eval()


@contextmanager
def buffers_restored(network: nn.Module) -> Iterator[None]:
    """Whatever is done to the network's statistics within is undone."""
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in network.named_buffers():
                buffer.copy_(before[name])


def _has_statistics(layer: Any) -> bool:
    if isinstance(layer, _BatchNorm):
        return layer.track_running_stats and layer.running_mean is not None
    return isinstance(layer, RunningMoments)
