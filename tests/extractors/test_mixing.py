import numpy as np
import pytest
import torch

from asdbench.extractors.classification.mixing import StatisticsExchange, exchange_features, mixup


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_mixed_clips_and_labels_have_the_same_shares():
    """With clips that are their own labels, both must come out alike."""
    labels = torch.eye(16)
    waveforms, mixed = mixup(labels.clone(), labels, 0.6, seeded())
    assert torch.equal(waveforms, mixed)
    assert mixed.sum(1) == pytest.approx(torch.ones(16))
    untouched = (mixed == labels).all(1)
    assert 2 <= int(untouched.sum()) <= 12
    assert ((mixed > 0).sum(1) <= 2).all()
    own = mixed.diagonal()[~untouched]
    assert own.min() < 0.3
    assert own.max() > 0.7


def test_no_mixup_changes_nothing():
    clips = torch.randn(8, 50)
    waveforms, labels = mixup(clips, torch.eye(8), 0.0, seeded())
    assert torch.equal(waveforms, clips)
    assert torch.equal(labels, torch.eye(8))


@pytest.mark.parametrize("branches", [2, 3])
def test_exchanged_features_carry_the_labels_of_the_clips_they_are_of(branches):
    """Embeddings that are the clips' labels say themselves where they come from."""
    count = 12
    labels = torch.eye(count)
    embeddings, more = exchange_features([labels.clone() for _ in range(branches)], labels, 0.5, seeded(3))
    assert more.shape == (count, count * (branches + 1))
    assert more.sum(1) == pytest.approx(torch.ones(count))
    plain, *parts = more.split(count, 1)
    untouched = plain.sum(1) == 1
    assert 1 <= int(untouched.sum()) < count
    for row in range(count):
        if untouched[row]:
            assert torch.equal(plain[row], labels[row])
            assert all(torch.equal(rows[row], labels[row]) for rows in embeddings)
        else:
            for part, rows in zip(parts, embeddings, strict=True):
                assert torch.allclose(part[row] * branches, rows[row])
    assert torch.equal(embeddings[0], labels), "the first branch stays the clip's own"
    assert not torch.equal(embeddings[1], labels)


def test_the_papers_labels_of_two_branches():
    """Wilkinghoff (2024): [y, 0, 0] for an untouched clip, [0, y / 2, y' / 2] for an exchanged one."""
    labels = torch.eye(3)
    _, more = exchange_features([torch.zeros(3, 2)] * 2, labels, 1.0, seeded())
    assert torch.equal(more[:, :3], torch.zeros(3, 3))
    assert torch.equal(more[:, 3:6], labels / 2)
    assert sorted(more[:, 6:].argmax(1).tolist()) == [0, 1, 2]
    _, none = exchange_features([torch.zeros(3, 2)] * 2, labels, 0.0, seeded())
    assert torch.equal(none, torch.cat([labels, torch.zeros(3, 6)], 1))


def test_the_generator_decides():
    clips = torch.randn(8, 5)
    first, again, other = (mixup(clips, torch.eye(8), 0.5, seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def moments(values, axis):
    """Mean and deviation by numpy, in double precision."""
    return values.double().numpy().mean(axis), values.double().numpy().std(axis)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_clip_takes_the_statistics_of_its_partner_and_keeps_its_shape(axis):
    """Chen et al. (2023): (x - mean) / deviation x deviation' + mean', along time or along frequency."""
    values = torch.rand(10, 30, 7, generator=seeded(1)) * torch.arange(1.0, 11.0)[:, None, None]
    exchange = StatisticsExchange.drawn(10, 0.5, axis, seeded(2), values.device)
    assert 2 <= int(exchange.exchanged.sum()) <= 8
    assert sorted(exchange.partner.tolist()) == list(range(10))
    results = exchange.spectrograms(values)
    for row, partner in enumerate(exchange.partner.tolist()):
        if not exchange.exchanged[row]:
            assert torch.equal(results[row], values[row])
            continue
        for one, other in zip(moments(results[row], axis - 1), moments(values[partner], axis - 1), strict=True):
            assert one == pytest.approx(other, rel=1e-4)
        mean, deviation = moments(values[row], axis - 1)
        new_mean, new_deviation = moments(results[row], axis - 1)
        shape = (values[row].numpy() - np.expand_dims(mean, axis - 1)) / np.expand_dims(deviation, axis - 1)
        new = (results[row].numpy() - np.expand_dims(new_mean, axis - 1)) / np.expand_dims(new_deviation, axis - 1)
        assert new == pytest.approx(shape, abs=1e-3)


def test_a_silent_bin_takes_the_mean_alone():
    values = torch.rand(2, 20, 3, generator=seeded())
    values[0, :, 1] = 0.0
    exchange = StatisticsExchange(torch.tensor([1, 0]), torch.tensor([True, True]), 1)
    results = exchange.spectrograms(values)
    assert results[0, :, 1] == pytest.approx(values[1, :, 1].mean().expand(20))
    assert torch.equal(results[1, :, 1], torch.zeros(20))


def test_the_labels_of_exchanged_statistics_and_of_both_exchanges():
    """Wilkinghoff (2024): [y, 0, 0] or [0, y / 2, y' / 2]; feature exchange then makes nine times the classes of it."""
    labels = torch.tensor([[1.0, 0.0], [0.25, 0.75]])
    exchange = StatisticsExchange(torch.tensor([1, 0]), torch.tensor([True, False]), 1)
    more = exchange.labels(labels)
    assert more.tolist() == [[0, 0, 0.5, 0, 0.125, 0.375], [0.25, 0.75, 0, 0, 0, 0]]
    rows = [torch.arange(2.0)[:, None]] * 2
    mixed, both = exchange_features(rows, more, 1.0, seeded())
    partner = mixed[1][:, 0].long()
    assert both.tolist() == torch.cat([torch.zeros(2, 6), more / 2, more[partner] / 2], 1).tolist()
    assert both.shape == (2, 9 * 2)


def test_statistics_are_exchanged_with_the_probability_asked_for():
    drawn = StatisticsExchange.drawn(4000, 0.2, 1, seeded(), torch.device("cpu"))
    assert drawn.exchanged.float().mean() == pytest.approx(0.2, abs=0.03)
    assert not StatisticsExchange.drawn(50, 0.0, 1, seeded(), torch.device("cpu")).exchanged.any()
    assert StatisticsExchange.drawn(50, 1.0, 1, seeded(), torch.device("cpu")).exchanged.all()
