import math

import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import ContrastiveLoss, NTXentLoss
from pytorch_metric_learning.reducers import DoNothingReducer

from asdbench.extractors.losses import contrastive, nt_xent


def pairs(count=7, dim=5):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(count, dim, generator=generator, dtype=torch.float64) for _ in range(2))


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_nt_xent_is_as_in_an_independent_library(temperature):
    first, second = pairs()
    labels = torch.arange(7).repeat(2)
    theirs = NTXentLoss(temperature)(torch.cat([first, second]), labels)
    assert float(nt_xent(first, second, temperature)) == pytest.approx(float(theirs), rel=1e-6)


def test_nt_xent_is_as_written_in_equation_1():
    first, second = pairs(3, 4)
    z = [row / row.norm() for row in [*first, *second]]
    total = 0.0
    for i in range(6):
        j = (i + 3) % 6
        denominator = sum(math.exp(float(z[i] @ z[k]) / 0.2) for k in range(6) if k != i)
        total -= math.log(math.exp(float(z[i] @ z[j]) / 0.2) / denominator)
    assert float(nt_xent(first, second, 0.2)) == pytest.approx(total / 6, rel=1e-6)


def test_half_precision_around_nt_xent_does_not_reach_it():
    first, second = (part.float() for part in pairs())
    with torch.autocast("cpu", torch.bfloat16):
        inside = nt_xent(first, second, 0.05)
    assert torch.equal(inside, nt_xent(first, second, 0.05))


def test_the_gradient_of_nt_xent_is_that_of_finite_differences():
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


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_contrastive_is_as_in_an_independent_library(margin):
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(12, 3, generator=generator, dtype=torch.float64)
    first, second = rows[::2], rows[1::2]
    different = torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    # Theirs is not squared and averages otherwise, so its parts are taken pair by pair.
    library = ContrastiveLoss(
        pos_margin=0.0, neg_margin=margin, distance=LpDistance(normalize_embeddings=False), reducer=DoNothingReducer()
    )
    total = 0.0
    for one, other, far in zip(first, second, different, strict=True):
        labels = torch.tensor([0, int(far)])
        parts = library(torch.stack([one, other]), labels)
        losses = parts["neg_loss" if far else "pos_loss"]["losses"]
        total += float(losses[0]) ** 2
    distance = (first - second).norm(dim=1)
    assert float(contrastive(distance, different, margin)) == pytest.approx(total / 6, rel=1e-6)


def test_contrastive_is_as_written_in_equation_1():
    distance, different = torch.tensor([0.3, 0.3, 1.7]), torch.tensor([0.0, 1.0, 1.0])
    assert float(contrastive(distance, different, 1.0)) == pytest.approx((0.3**2 + 0.7**2 + 0.0) / 3)
