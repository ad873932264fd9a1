"""The layers that are computed in our own way against torch's, in double precision."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, max_pool2d, relu

from asdbench.extractors.classification.layers import Normalise, ReluConv
from asdbench.extractors.classification.stem import Stem


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def same(first, second):
    assert first.shape == second.shape
    assert torch.allclose(first, second, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("size", [(9, 14), (10, 11), (1, 33), (32, 7)])
def test_the_stem_is_convolution_normalisation_relu_and_pooling(size):
    own, theirs = Stem(16).double(), nn.BatchNorm2d(16, affine=False).double()
    weight = own.weight.detach().clone().requires_grad_()
    batch = 3 + images(7, *size)
    for _ in range(2):
        output = own(batch)
        expected = max_pool2d(relu(theirs(conv2d(batch[:, None], weight, stride=2, padding=3))), 3, 2, 1)
        same(output, expected)
        weight.grad = own.weight.grad = None
        expected.backward(passed := torch.rand_like(expected))
        output.backward(passed)
        same(own.weight.grad, weight.grad)
    same(own.mean, theirs.running_mean)
    same(own.variance, theirs.running_var)
    theirs.eval()
    expected = max_pool2d(relu(theirs(conv2d(batch[:, None], weight, stride=2, padding=3))), 3, 2, 1)
    same(own.eval()(batch), expected)


def test_normalisation_is_torchs():
    own, theirs = Normalise(3).double(), nn.BatchNorm2d(3, affine=False).double()
    batch = 5 + 2 * images(4, 3, 5, 6).to(memory_format=torch.channels_last)
    ours, others = batch.clone().requires_grad_(), batch.clone().requires_grad_()
    same(own(ours), theirs(others))
    passed = images(4, 3, 5, 6)
    own(ours).backward(passed)
    theirs(others).backward(passed)
    same(ours.grad, others.grad)
    same(own.mean, theirs.running_mean)
    same(own.variance, theirs.running_var)
    same(own.eval()(batch), theirs.eval()(batch))


@pytest.mark.parametrize("stride", [1, 2])
def test_relu_and_convolution_are_torchs(stride):
    layer = ReluConv(3, 5, 3, stride).double()
    weight = layer.weight.detach().clone().requires_grad_()
    ours, others = (images(2, 3, 8, 9).requires_grad_() for _ in range(2))
    output, expected = layer(ours), conv2d(relu(others), weight, stride=stride, padding=1)
    same(output, expected)
    passed = torch.rand_like(expected)
    output.backward(passed)
    expected.backward(passed)
    same(ours.grad, others.grad)
    same(layer.weight.grad, weight.grad)
