"""Batch normalisation and convolution as torch computes them, with less memory on a CPU.

A convolution behind a ReLU stores another copy of its input: a training step of the multi-resolution network takes
1.4 times the memory with torch's convolution, and 1.7 times with all of torch's layers, in the same time. On a GPU
torch's layers are used.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, relu

from asdbench.extractors.batch_statistics import RunningMoments

MOMENTUM = 0.1
EPS = 1e-5


def by_torch(images: Tensor) -> bool:
    """Whether torch's own layers are the better ones: on a GPU, and where the network is exported."""
    return images.is_cuda or torch.onnx.is_in_onnx_export()


class Normalise(RunningMoments):
    """Batch normalisation without learned scale and shift: (batch, channels, height, width) -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, MOMENTUM)

    def forward(self, images: Tensor) -> Tensor:
        """Standardised by the batch's mean and variance in training, by their running means otherwise."""
        if by_torch(images) or not self.training:
            return batch_norm(images, self.mean, self.variance, training=self.training, momentum=self.momentum, eps=EPS)
        output: Tensor
        output, mean, variance = _Normalise.apply(images)
        keep_moments(self, mean, variance, images.numel() // images.shape[1])
        return output


@torch.no_grad()
def keep_moments(layer: RunningMoments, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move a layer's running mean and variance towards those of a batch of ``count`` values a channel."""
    layer.mean.lerp_(mean, layer.momentum)
    layer.variance.lerp_(variance * (count / max(1, count - 1)), layer.momentum)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = torch.batch_norm_update_stats(images, None, None, 0.0)
        scale = (variance + EPS).rsqrt()
        output = images.sub(mean[:, None, None]).mul_(scale[:, None, None])
        ctx.save_for_backward(output, scale)
        ctx.mark_non_differentiable(mean, variance)
        return output, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> Tensor:
        output, scale = ctx.saved_tensors
        count = output.numel() // output.shape[1]
        offset = gradient.sum((0, 2, 3)) / count
        slope = (gradient * output).sum((0, 2, 3)) / count
        result = torch.addcmul(gradient, output, -slope[:, None, None])
        return result.sub_(offset[:, None, None]).mul_(scale[:, None, None])


class ReluConv(nn.Module):
    """ReLU, then a convolution without bias that keeps the image's size, divided by the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Conv2d(inputs, outputs, kernel, bias=False).weight
        self._stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """(batch, inputs, height, width) -> (batch, outputs, ceil(height / stride), ceil(width / stride))."""
        if by_torch(images):
            return conv2d(relu(images), self.weight, stride=self._stride, padding=self.weight.shape[-1] // 2)
        output: Tensor = _ReluConv.apply(images, self.weight, self._stride)
        return output


class _ReluConv(torch.autograd.Function):
    """Stores the input before the ReLU, which the normalisation before it stores anyway."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride = stride
        return conv2d(relu(images), weight, stride=stride, padding=weight.shape[-1] // 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        images, weight = ctx.saved_tensors
        stride, padding = [ctx.stride] * 2, [weight.shape[-1] // 2] * 2
        back, change, _ = torch.ops.aten.convolution_backward(
            gradient, relu(images), weight, None, stride, padding, [1, 1], False, [0, 0], 1, [True, True, False]
        )
        return torch.ops.aten.threshold_backward(back, images, 0), change, None
