"""A residual network's first layer - convolution, normalisation, ReLU, pooling - computed a few clips at a time.

Its output before pooling is the largest array of the network, several times the spectrogram, and three arrays of that
size would be stored for the gradient. On a CPU none is: normalisation without learned scale does not change the order
of values, so pooling may come first, and the backward pass computes the convolution again, in small pieces.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, max_pool2d, pad, relu

from asdbench.extractors.batch_statistics import RunningMoments
from asdbench.extractors.classification.layers import EPS, MOMENTUM, by_torch, keep_moments

CLIPS = 2  # in a piece
TAPS = 8  # of 7, one more for the even number of phases


class Stem(RunningMoments):
    """7 x 7 convolution (stride 2), batch normalisation without scale and shift, ReLU, 3 x 3 maximum (stride 2).

    Equal to those four layers of torch, padded by 3 and 1, to rounding. The input gets no gradient.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, MOMENTUM)
        self.weight = nn.Conv2d(1, channels, 7, bias=False).weight

    def forward(self, images: Tensor) -> Tensor:
        """(batch, height, width) -> (batch, channels, ceil(height / 4), ceil(width / 4)), channels last."""
        if by_torch(images):
            values = conv2d(images[:, None], self.weight, stride=2, padding=3)
            values = batch_norm(
                values, self.mean, self.variance, training=self.training, momentum=self.momentum, eps=EPS
            )
            return max_pool2d(relu(values), 3, 2, 1)
        output: Tensor
        if not self.training:
            output, _, _ = _Stem.apply(images, self.weight, self.mean, self.variance)
            return output
        output, mean, variance = _Stem.apply(images, self.weight, None, None)
        keep_moments(self, mean, variance, len(images) * -(-images.shape[1] // 2) * -(-images.shape[2] // 2))
        return output


class _Stem(torch.autograd.Function):
    """The arithmetic of ``Stem``; gives output, mean and biased variance of the batch before pooling."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, mean: Tensor | None, variance: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        kernel = _kernel(weight)
        pieces, pooled, moments = images.split(CLIPS), [], []
        for piece in pieces:
            values = conv2d(_patches(piece), kernel)
            pooled.append(max_pool2d(values, 3, 2, 1))
            if mean is None:
                moments.append(torch.batch_norm_update_stats(values, None, None, 0.0))
        if mean is None or variance is None:
            shares = images.new_tensor([len(piece) / len(images) for piece in pieces])[:, None]
            means, variances = (torch.stack(part) for part in zip(*moments, strict=True))
            mean = (shares * means).sum(0)
            variance = (shares * (variances + (means - mean).square())).sum(0)
        scale = (variance + EPS).rsqrt()
        output = torch.cat(pooled).sub_(mean[:, None, None]).mul_(scale[:, None, None]).relu_()
        ctx.save_for_backward(images, weight, output, mean, scale)
        ctx.mark_non_differentiable(mean, variance)
        return output, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        images, weight, output, mean, scale = ctx.saved_tensors
        passed = gradient * (output > 0)
        size = len(images) * -(-images.shape[1] // 2) * -(-images.shape[2] // 2)
        # where the gradient passes, the output is the normalised value
        offset = passed.sum((0, 2, 3)) / size
        slope = (passed * output).sum((0, 2, 3)) / size
        kernel = _kernel(weight)
        total = torch.zeros_like(kernel)
        for piece, part in zip(images.split(CLIPS), passed.split(CLIPS), strict=True):
            patches = _patches(piece)
            values = conv2d(patches, kernel)
            places = max_pool2d(values, 3, 2, 1, return_indices=True)[1]
            change = torch.ops.aten.max_pool2d_with_indices_backward(
                part.contiguous(memory_format=torch.channels_last),
                values,
                [3, 3],
                [2, 2],
                [1, 1],
                [1, 1],
                False,
                places,
            )
            # the derivative of batch normalisation: (g - mean(g) - y mean(g y)) / deviation, y the normalised value
            change += values.mul_((-slope * scale)[:, None, None]).add_((slope * scale * mean - offset)[:, None, None])
            total += torch.ops.aten.convolution_backward(
                change, patches, kernel, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [False, True, False]
            )[1]
        total = total * scale[:, None, None, None]
        return None, _unfolded(total), None, None


def _patches(images: Tensor) -> Tensor:
    """(batch, height, width) -> (batch, 16, ceil(height / 2), ceil(width / 2) + 3), channels last.

    A channel is one of eight rows around a place and one of two neighbouring columns, so that the 7 x 7 convolution of
    one channel becomes one of 16 channels and 1 x 4 taps, which processors do several times faster.
    """
    count, height, width = images.shape
    high, wide = -(-height // 2), -(-width // 2)
    padded = pad(images, (3, 2 * (wide + 3) - width - 3, 3, 2 * (high + 3) - height))
    pairs = torch.view_as_complex(padded.view(count, -1, wide + 3, 2))  # copied as one number, in a tenth of the time
    image, row = pairs.stride()[:2]
    patches = pairs.as_strided((count, high, wide + 3, TAPS), (image, 2 * row, 1, row)).contiguous()
    return torch.view_as_real(patches).flatten(3).permute(0, 3, 1, 2)


def _kernel(weight: Tensor) -> Tensor:
    """(channels, 1, 7, 7) -> (channels, 16, 1, 4), for patches; the eighth row and column are zeros."""
    channels = len(weight)
    full = pad(weight.detach(), (0, 1, 0, 1)).view(channels, TAPS, 4, 2)
    kernel = full.permute(0, 1, 3, 2).reshape(channels, 2 * TAPS, 1, 4)
    return kernel.contiguous(memory_format=torch.channels_last)


def _unfolded(kernel: Tensor) -> Tensor:
    """The other way: (channels, 16, 1, 4) -> (channels, 1, 7, 7)."""
    channels = len(kernel)
    full = kernel.reshape(channels, TAPS, 2, 4).permute(0, 1, 3, 2).reshape(channels, 1, TAPS, 8)
    return full[..., :7, :7].contiguous()
