"""Dense networks of one shape in one pass: a batched product for each layer, over all networks.

A network's result is the same to the bit whatever others stand beside it, on one thread or several: the products are
separate, and so are the sums of batch normalisation. Tests hold that.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu


def forward(networks: Sequence[Any], inputs: Tensor) -> Tensor:
    """Pass batches through networks in training mode.

    Args:
        networks: of linear layers, each but the last followed by batch normalisation and ReLU; all of one shape.
        inputs: (networks, batch, dim), a batch for each.

    Returns:
        (networks, batch, dim).
    """
    *hidden, last = zip(*networks, strict=True)
    columns = inputs.mT  # (networks, dim, batch): batch normalisation finds what it sums side by side
    for layers in hidden:
        if isinstance(layers[0], nn.Linear):
            weights, biases = _linear(layers)
            columns = torch.baddbmm(biases[:, :, None], weights, columns)
        elif isinstance(layers[0], nn.BatchNorm1d):
            columns = _normalized(layers, columns)
        else:
            columns = relu(columns)
    weights, biases = _linear(last)
    return torch.baddbmm(biases[:, None], columns.mT, weights.mT)


def _linear(layers: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Weights (networks, out, in) and biases (networks, out)."""
    return torch.stack([layer.weight for layer in layers]), torch.stack([layer.bias for layer in layers])


def _normalized(layers: Sequence[Any], columns: Tensor) -> Tensor:
    """Batch normalisation, whose running statistics move as in each layer alone.

    Group normalisation with a channel to a group, over the batch: the same sums, in a quarter of the time.
    """
    weights, biases = (torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias"))
    channels, batch, eps = len(weights), columns.shape[-1], layers[0].eps
    result, mean, scale = torch.native_group_norm(
        columns.reshape(1, channels, batch), weights, biases, 1, channels, batch, channels, eps
    )
    with torch.no_grad():
        variance = (scale[0] ** -2 - eps) * (batch / (batch - 1))
        for layer, *moments in zip(layers, mean[0].chunk(len(layers)), variance.chunk(len(layers)), strict=True):
            layer.running_mean.lerp_(moments[0], layer.momentum)
            layer.running_var.lerp_(moments[1], layer.momentum)
            layer.num_batches_tracked += 1
    return result.view(columns.shape)
