import math

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss

from asdbench.extractors.nt_xent import nt_xent


def pairs(count=7, dim=5):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(count, dim, generator=generator, dtype=torch.float64) for _ in range(2))


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_as_in_an_independent_library(temperature):
    first, second = pairs()
    labels = torch.arange(7).repeat(2)
    theirs = NTXentLoss(temperature)(torch.cat([first, second]), labels)
    assert float(nt_xent(first, second, temperature)) == pytest.approx(float(theirs), rel=1e-6)


def test_as_written_in_equation_1():
    first, second = pairs(3, 4)
    z = [row / row.norm() for row in [*first, *second]]
    total = 0.0
    for i in range(6):
        j = (i + 3) % 6
        denominator = sum(math.exp(float(z[i] @ z[k]) / 0.2) for k in range(6) if k != i)
        total -= math.log(math.exp(float(z[i] @ z[j]) / 0.2) / denominator)
    assert float(nt_xent(first, second, 0.2)) == pytest.approx(total / 6, rel=1e-6)


def test_half_precision_around_it_does_not_reach_it():
    first, second = (part.float() for part in pairs())
    with torch.autocast("cpu", torch.bfloat16):
        inside = nt_xent(first, second, 0.05)
    assert torch.equal(inside, nt_xent(first, second, 0.05))


def test_its_gradient_is_that_of_finite_differences():
    first, second = (part.float().requires_grad_() for part in pairs(4, 3))
    nt_xent(first, second, 0.5).backward()
    step = 1e-3
    for row in range(4):
        for column in range(3):
            moved = torch.zeros(4, 3)
            moved[row, column] = step
            with torch.no_grad():
                slope = (nt_xent(first + moved, second, 0.5) - nt_xent(first - moved, second, 0.5)) / (2 * step)
            assert float(first.grad[row, column]) == pytest.approx(float(slope), abs=2e-3)
