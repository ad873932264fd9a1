import pytest
import torch

from asdbench.extractors.classification.mixing import exchange_features, mixup


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
