"""Statistics of batch normalisation after a training, against torch's own ``update_bn`` and against plain means."""

from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from asdbench.extractors.batch_statistics import buffers_restored, recompute
from asdbench.extractors.batches import whole_clips
from asdbench.extractors.classification.layers import Normalise
from asdbench.extractors.classification.stem import Stem


def batches(sizes=(8, 8, 5)):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(size, 3, 6, 6, generator=generator) * 2 + 1 for size in sizes]


def network():
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=0.01), nn.ReLU(), nn.Flatten(), nn.BatchNorm1d(64)]
    return nn.Sequential(*parts, nn.Linear(64, 2))


def test_they_are_those_of_torchs_update_bn():
    mine, theirs = network(), network()
    for batch in batches((4, 9)):
        mine(batch)  # what a training leaves
    recompute(mine, map(mine, batches()))
    update_bn(batches(), theirs)
    for name, value in theirs.state_dict().items():
        assert torch.allclose(mine.state_dict()[name], value, atol=1e-6), name
    assert not any(layer.training for layer in mine.modules())
    assert mine[1].momentum == 0.01


@pytest.mark.parametrize("make", [lambda: Normalise(3), lambda: nn.BatchNorm2d(3, affine=False)])
def test_layers_of_our_own_take_part_as_torchs_do(make):
    layer = make()
    recompute(nn.Sequential(layer), map(layer, batches()))
    mean, variance = list(layer.buffers())[:2]
    assert mean.tolist() == pytest.approx(torch.stack([b.mean((0, 2, 3)) for b in batches()]).mean(0).tolist())
    expected = torch.stack([b.transpose(0, 1).flatten(1).var(1) for b in batches()]).mean(0)
    assert variance.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_the_stem_keeps_the_moments_of_its_convolution():
    torch.manual_seed(0)
    stem = Stem(4)
    images = [batch[:, 0] for batch in batches((6, 6))]
    recompute(stem, map(stem, images))
    values = [nn.functional.conv2d(batch[:, None], stem.weight, stride=2, padding=3) for batch in images]
    expected = torch.stack([value.mean((0, 2, 3)) for value in values]).mean(0)
    assert torch.allclose(stem.mean, expected, atol=1e-6)


def test_nothing_but_the_statistics_is_in_training():
    seen = []

    class Probe(nn.Dropout):
        def forward(self, values):
            seen.append(self.training)
            return super().forward(values)

    whole = nn.Sequential(network(), Probe(0.5))
    before = deepcopy(dict(whole.named_parameters()))
    recompute(whole, map(whole, batches()))
    assert seen == [False] * 3
    assert all(torch.equal(value, before[name]) for name, value in whole.named_parameters())


def test_without_batch_normalisation_no_batch_is_made():
    def never():
        raise AssertionError("asked for a batch")
        yield

    plain = nn.Linear(3, 1)
    recompute(plain, map(plain, never()))
    assert not plain.training


def test_what_is_done_to_the_statistics_within_is_undone():
    whole = network()
    before = deepcopy(whole.state_dict())
    with buffers_restored(whole):
        recompute(whole, map(whole, batches()))
        assert not torch.equal(whole.state_dict()["1.running_mean"], before["1.running_mean"])
    assert all(torch.equal(value, before[name]) for name, value in whole.state_dict().items())


def test_the_training_clips_go_through_whole_in_batches_of_two_at_least():
    class Features(dict):
        def shape(self, key):
            return self[key].shape

    features = Features({f"clip {n}": np.full((1, 2, 5 + n % 3), n, np.float32) for n in range(7)})
    context = SimpleNamespace(features=features, device="cpu")
    for at_once, sizes in ((1, [3, 2, 2]), (3, [4, 3]), (64, [7])):
        found = list(whole_clips(list(features), at_once, context))
        assert [len(batch) for batch in found] == sizes
        assert torch.cat(found).shape == (7, 1, 2, 5)
        assert torch.cat(found)[:, 0, 0, 0].tolist() == list(range(7))
