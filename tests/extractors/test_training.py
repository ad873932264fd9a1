import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from asdbench.core.errors import TrainingError
from asdbench.core.progress import Silent
from asdbench.extractors.checkpoints import Checkpoints
from asdbench.extractors.training import Recipe, rate, reproducible, train

RECIPE = Recipe("toy", epochs=6, learning_rate=0.05, restarts=1)


def network():
    with reproducible(0):
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def batches(epoch):
    generator = torch.Generator().manual_seed(epoch)
    for _ in range(2):
        inputs = torch.randn(16, 3, generator=generator)
        yield inputs, inputs.sum(1, keepdim=True)


def fit(net, context, recipe=RECIPE, data=batches):
    return train(net, data, 2, lambda batch: (net(batch[0]) - batch[1]).square().mean(), recipe, context)


def test_it_learns_and_reports_one_loss_for_each_epoch(make_context):
    losses = fit(network(), make_context(), replace(RECIPE, epochs=40))["loss"]
    assert len(losses) == 40
    assert losses[-1] < 0.2 * losses[0]


def test_a_killed_training_goes_on_to_the_same_network(make_context, tmp_path, monkeypatch):
    monkeypatch.setattr("asdbench.extractors.training.SAVE_EVERY_S", 0.0)
    whole = network()
    losses = fit(whole, make_context(checkpoints=tmp_path / "a"))

    def killed(epoch):
        if epoch == 3:
            raise KeyboardInterrupt
        return batches(epoch)

    with pytest.raises(KeyboardInterrupt):
        fit(network(), make_context(checkpoints=tmp_path / "b"), data=killed)
    resumed = network()
    seen = []
    again = fit(
        resumed, make_context(checkpoints=tmp_path / "b"), data=lambda epoch: seen.append(epoch) or batches(epoch)
    )
    assert seen == [3, 4, 5, 6], "the last for the statistics of batch normalisation"
    assert again == losses
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_states_that_take_long_to_write_are_kept_seldom(make_context, monkeypatch):
    """Of the time, a fiftieth goes into keeping: here an epoch takes 10 s, and writing a state 4 s."""
    clock = SimpleNamespace(now=0.0)
    kept = []

    def pass_time(seconds, *notes):
        clock.now += seconds
        kept.extend(notes)

    monkeypatch.setattr("asdbench.extractors.training.time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(Checkpoints, "save", lambda self, *_: pass_time(4.0, clock.now))

    def slow(epoch):
        pass_time(10.0)
        return batches(epoch)

    fit(network(), make_context(), replace(RECIPE, epochs=50), data=slow)
    assert kept == [10.0, 214.0, 418.0]


def test_a_loss_that_is_not_finite_stops_with_a_way_out(make_context):
    with pytest.raises(TrainingError, match=r"stopped in epoch 1: the loss is nan") as caught:
        train(
            network(), batches, 2, lambda batch: torch.tensor(float("nan"), requires_grad=True), RECIPE, make_context()
        )
    assert "-p extractor.learning_rate=0.005" in str(caught.value)


def test_the_rate_follows_the_cosine_with_warm_restarts(make_context, monkeypatch):
    rates = []
    step = AdamW.step
    monkeypatch.setattr(AdamW, "step", lambda self: (rates.append(self.param_groups[0]["lr"]), step(self))[1])
    fit(network(), make_context())
    position = torch.arange(12) % 6 / 6  # two cycles of three epochs of two batches
    expected = 0.05 * (1 + torch.cos(torch.pi * position)) / 2
    assert torch.allclose(torch.tensor(rates), expected, atol=1e-6)


def test_the_rate_rises_over_the_first_steps_and_weights_decay(make_context):
    """Written out for one weight whose gradient is zero: AdamW then does nothing but let it decay by rate x decay."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.ones_(net.weight)
    recipe = replace(RECIPE, epochs=3, learning_rate=0.1, restarts=None, warmup_steps=4, weight_decay=0.5)
    train(net, batches, 2, lambda batch: 0.0 * net.weight.sum(), recipe, make_context())
    rates = [0.025, 0.05, 0.075, 0.1, 0.1, 0.1]
    assert net.weight.item() == pytest.approx(math.prod(1 - 0.5 * rate for rate in rates))


@pytest.mark.parametrize("epochs", [5, 6, 24, 40])
def test_the_restarts_asked_for_are_done_whatever_the_epochs(epochs):
    recipe = replace(RECIPE, epochs=epochs, restarts=3)
    rates = [rate(recipe, epoch + step / 2) for epoch in range(epochs) for step in range(2)]
    rises = sum(after > before for before, after in pairwise(rates))
    assert rises == 3
    assert rates[0] == pytest.approx(0.05)


def test_seeding_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with reproducible(5):
        torch.rand(2)
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_progress_counts_every_batch(make_context):
    class Counting(Silent):
        steps = 0

        def stage(self, name, total):
            assert total == 12
            return super().stage(name, total)

    fit(network(), replace(make_context(), progress=Counting()))


def test_a_damaged_state_is_told_and_the_training_begins_anew(make_context, tmp_path, monkeypatch):
    monkeypatch.setattr("asdbench.extractors.training.SAVE_EVERY_S", 0.0)
    context = make_context(checkpoints=tmp_path / "a")
    whole = fit(network(), context)
    (state,) = (tmp_path / "a").rglob("*.safetensors")
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    state.write_bytes(content)
    seen = []
    again = fit(network(), context, data=lambda epoch: seen.append(epoch) or batches(epoch))
    assert seen == [*range(RECIPE.epochs), RECIPE.epochs], "and once for the statistics of batch normalisation"
    assert again == whole
    (line,) = [note for note in context.progress.notes if "Damaged" in note]
    assert "the state of a training" in line
