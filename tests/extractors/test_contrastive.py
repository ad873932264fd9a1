import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import ContrastiveLoss
from pytorch_metric_learning.reducers import DoNothingReducer

from asdbench.extractors.contrastive import contrastive


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_as_in_an_independent_library(margin):
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


def test_as_written_in_equation_1():
    distance, different = torch.tensor([0.3, 0.3, 1.7]), torch.tensor([0.0, 1.0, 1.0])
    assert float(contrastive(distance, different, 1.0)) == pytest.approx((0.3**2 + 0.7**2 + 0.0) / 3)
