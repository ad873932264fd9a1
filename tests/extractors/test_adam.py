"""Against ``torch.optim.Adam``, to the last bit."""

import copy

import pytest
import torch
from torch import nn

from asdbench.extractors.adam import Adam


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 36, 7), nn.Tanh(), nn.Linear(7, 1)
    ).to(memory_format=torch.channels_last)


def steps(net, optimizer, numbers, set_rate):
    for number in numbers:
        generator = torch.Generator().manual_seed(number)
        set_rate(0.05 / (1 + number))
        optimizer.zero_grad()
        images = torch.randn(4, 3, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
        net(images).square().mean().backward()
        optimizer.step()


def set_ours(optimizer):
    return lambda rate: setattr(optimizer, "rate", rate)


@pytest.fixture(params=["as one row", "in rows", "one by one"])
def every_way(request, monkeypatch):
    if request.param == "in rows":
        monkeypatch.setattr("asdbench.extractors.adam.ROW", 48)
    if request.param == "one by one":
        monkeypatch.setattr("asdbench.extractors.adam.SMALL", 0)


@pytest.mark.usefixtures("every_way")
def test_it_is_torchs_own():
    ours, theirs = network(), network()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.05)
    steps(theirs, optimizer, range(6), lambda rate: optimizer.param_groups[0].update(lr=rate))
    own = Adam(ours, 0.05)
    layouts = [parameter.stride() for parameter in network().parameters()]
    assert [parameter.stride() for parameter in ours.parameters()] == layouts
    steps(ours, own, range(6), set_ours(own))
    for (name, value), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.equal(value, other), name
    assert not torch.equal(ours[0].weight, network()[0].weight)


@pytest.mark.usefixtures("every_way")
def test_it_goes_on_from_a_state():
    whole, part = network(), network()
    one = Adam(whole, 0.05)
    steps(whole, one, range(5), set_ours(one))
    two = Adam(part, 0.05)
    steps(part, two, range(3), set_ours(two))
    kept, weights = copy.deepcopy(two.state()), copy.deepcopy(part.state_dict())
    resumed = network()
    three = Adam(resumed, 0.05)
    resumed.load_state_dict(weights)
    three.restore(kept)
    steps(resumed, three, range(3, 5), set_ours(three))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.usefixtures("every_way")
def test_a_parameter_that_the_loss_does_not_use_stays():
    net = nn.ModuleList([nn.Linear(3, 1), nn.Linear(3, 1)])
    before = copy.deepcopy(net.state_dict())
    optimizer = Adam(net, 0.1)
    optimizer.zero_grad()
    net[0](torch.ones(2, 3)).sum().backward()
    optimizer.step()
    assert torch.equal(net[1].weight, before["1.weight"])
    assert not torch.equal(net[0].weight, before["0.weight"])
