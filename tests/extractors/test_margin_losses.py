import math

import numpy as np
import pytest
import torch
from pytorch_metric_learning.losses import ArcFaceLoss

from asdbench.extractors.classification.margin_losses import AdaCos, AdaProj, ArcFace, SubClusterAdaCos, margin_loss
from asdbench.extractors.classification.mixing import mixup

CLASSES, DIM, BATCH = 5, 7, 9


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = 3 * torch.randn(BATCH, DIM, generator=generator)
    own = torch.randint(CLASSES, (BATCH,), generator=generator)
    return embeddings, own, torch.nn.functional.one_hot(own, CLASSES).float()


def mixed(labels, share=0.3):
    return share * labels + (1 - share) * labels.roll(1, 0)


def unit(rows):
    rows = rows.detach().double().numpy()
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize(("margin", "scale"), [(0.5, 30.0), (0.0, 10.0), (2.9, 8.0)])
def test_arcface_as_in_an_independent_library(margin, scale):
    """A margin of 2.9 passes half a turn for nearly every clip."""
    embeddings, own, labels = batch()
    ours = ArcFace(DIM, CLASSES, margin, scale, trainable=True)
    theirs = ArcFaceLoss(CLASSES, DIM, margin=math.degrees(margin), scale=scale)
    theirs.W.data.copy_(ours.directions.detach().T)
    assert ours(embeddings, labels).item() == pytest.approx(theirs(embeddings, own).item(), rel=1e-5)


def test_arcface_of_mixed_labels_weighs_the_losses_of_both():
    embeddings, _, labels = batch()
    loss = ArcFace(DIM, CLASSES, 0.5, 30.0, trainable=True)
    apart = 0.3 * loss(embeddings, labels) + 0.7 * loss(embeddings, labels.roll(1, 0))
    assert loss(embeddings, mixed(labels)).item() == pytest.approx(apart.item(), rel=1e-5)


def test_adacos_begins_and_follows_as_in_its_paper():
    """Zhang et al. (2019): s = sqrt(2) log(C - 1), then log(B) / cos(min(pi / 4, median angle)), other classes in B."""
    embeddings, own, labels = batch()
    loss = AdaCos(DIM, CLASSES, trainable=True)
    scale = math.sqrt(2) * math.log(CLASSES - 1)
    assert float(loss.scale) == pytest.approx(scale)
    cosines = unit(embeddings) @ unit(loss.directions).T
    for _ in range(3):
        value = loss(embeddings, labels).item()
        others = [sum(math.exp(scale * cosines[i, k]) for k in range(CLASSES) if k != own[i]) for i in range(BATCH)]
        median = sorted(math.acos(cosines[i, own[i]]) for i in range(BATCH))[BATCH // 2]
        scale = math.log(sum(others) / BATCH) / math.cos(min(math.pi / 4, median))
        assert float(loss.scale) == pytest.approx(scale, rel=1e-5)
        softmax = np.exp(scale * cosines) / np.exp(scale * cosines).sum(1, keepdims=True)
        assert value == pytest.approx(-np.log(softmax[range(BATCH), own]).mean(), rel=1e-4)


def test_adacos_uses_a_median_angle_below_an_eighth_of_a_turn():
    loss = AdaCos(CLASSES, CLASSES, trainable=True)
    loss.directions.data.copy_(torch.eye(CLASSES))
    near = torch.eye(CLASSES) + 0.1
    cosines = unit(near)
    before = float(loss.scale)
    loss(near, torch.eye(CLASSES))
    others = (np.exp(before * cosines) * (1 - np.eye(CLASSES))).sum(1).mean()
    assert math.acos(cosines[0, 0]) < math.pi / 4
    assert float(loss.scale) == pytest.approx(math.log(others) / cosines[0, 0], rel=1e-5)


@pytest.mark.parametrize("trainable", [True, False])
def test_sub_cluster_adacos_as_in_its_paper(trainable):
    """Wilkinghoff (2021): softmax over all centres, added up within each class; all centres count for the scale."""
    sub_clusters = 4
    embeddings, _, labels = batch()
    labels = mixed(labels)
    loss = SubClusterAdaCos(DIM, CLASSES, sub_clusters, trainable)
    scale = math.sqrt(2) * math.log(CLASSES * sub_clusters - 1)
    assert float(loss.scale) == pytest.approx(scale)
    cosines = np.einsum("bd,csd->bcs", unit(embeddings), unit(loss.directions))
    for _ in range(3):
        value = loss(embeddings, labels).item()
        sums = np.exp(scale * cosines).sum((1, 2))
        angle = np.median((labels.numpy() * np.arccos(cosines).mean(2)).sum(1))
        scale = math.log(sums.mean()) / math.cos(min(math.pi / 4, angle))
        assert float(loss.scale) == pytest.approx(scale, rel=1e-5)
        powers = np.exp(scale * cosines)
        probability = powers.sum(2) / powers.sum((1, 2))[:, None]
        expected = -(labels.numpy() * np.log(probability)).sum(1).mean()
        assert value == pytest.approx(expected, rel=1e-4)


def test_one_sub_cluster_is_adacos_but_for_what_its_scale_counts():
    embeddings, _, labels = batch()
    one, plain = SubClusterAdaCos(DIM, CLASSES, 1, trainable=True), AdaCos(DIM, CLASSES, trainable=True)
    plain.directions.data.copy_(one.directions.detach()[:, 0])
    assert one.eval()(embeddings, labels).item() == pytest.approx(plain.eval()(embeddings, labels).item(), rel=1e-5)


def test_adaproj_as_in_its_paper():
    """Wilkinghoff (2024): the projection onto a class's subspace written out, vector by vector."""
    embeddings, own, labels = batch()
    loss = AdaProj(DIM, CLASSES, 3, trainable=True)
    x, bases = unit(embeddings), unit(loss.directions)
    cosines = np.empty((BATCH, CLASSES))
    for i in range(BATCH):
        for k in range(CLASSES):
            projection = sum((x[i] @ c) * c for c in bases[k])
            cosines[i, k] = x[i] @ projection / np.linalg.norm(projection)
    assert loss.similarities(embeddings).detach().numpy() == pytest.approx(cosines, abs=1e-5)
    before = math.sqrt(2) * math.log(CLASSES - 1)
    value = loss(embeddings, labels).item()
    others = [1 + sum(math.exp(before * cosines[i, k]) for k in range(CLASSES) if k != own[i]) for i in range(BATCH)]
    median = np.median(np.arccos(cosines[range(BATCH), own]))
    scale = math.log(np.mean(others)) / math.cos(min(math.pi / 4, median))
    softmax = np.exp(scale * cosines) / np.exp(scale * cosines).sum(1, keepdims=True)
    assert value == pytest.approx(-np.log(softmax[range(BATCH), own]).mean(), rel=1e-4)


def test_an_orthonormal_subspace_gives_the_length_of_the_projection():
    loss = AdaProj(4, 2, 2, trainable=True)
    loss.directions.data.copy_(torch.eye(4).reshape(2, 2, 4))
    cosines = loss.similarities(torch.tensor([[3.0, 0.0, 4.0, 0.0]]))
    assert cosines[0].tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("name", ["arcface", "adacos", "scac", "adaproj"])
@pytest.mark.parametrize("trainable", [True, False])
def test_fixed_centres_are_no_parameters_and_every_loss_has_a_finite_gradient(name, trainable):
    embeddings, _, labels = batch()
    loss = margin_loss(
        name,
        DIM,
        CLASSES,
        trainable=trainable,
        adaptive=True,
        mixed=True,
        sub_clusters=3,
        subspace_dim=2,
        margin=0.5,
        scale=30.0,
    )
    assert [n for n, _ in loss.named_parameters()] == (["directions"] if trainable else [])
    assert "directions" in loss.state_dict()
    embeddings[0] = 0.0  # a dead clip
    embeddings.requires_grad_()
    loss(embeddings, mixed(labels)).backward()
    assert torch.isfinite(embeddings.grad).all()
    assert embeddings.grad[1:].abs().sum(1).min() > 0


def test_the_scale_stays_in_evaluation_and_where_it_is_not_adaptive():
    embeddings, _, labels = batch()
    loss = SubClusterAdaCos(DIM, CLASSES, 2, trainable=True).eval()
    before = float(loss.scale)
    loss(embeddings, labels)
    assert float(loss.scale) == before
    loss.train()
    loss.adaptive = False
    loss(embeddings, labels)
    assert float(loss.scale) == before


@pytest.mark.parametrize("name", ["arcface", "adacos", "scac", "adaproj"])
def test_half_precision_around_it_does_not_reach_it(name):
    embeddings, _, labels = batch()
    parts = {
        "trainable": True,
        "adaptive": False,
        "mixed": True,
        "sub_clusters": 3,
        "subspace_dim": 2,
        "margin": 0.5,
        "scale": 30.0,
    }
    loss = margin_loss(name, DIM, CLASSES, **parts)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(embeddings, labels)
    assert torch.equal(inside, loss(embeddings, labels))


def test_mixed_clips_have_all_classes_count_for_the_scale_of_adacos_and_adaproj():
    embeddings, _, labels = batch()
    labels = torch.cat([mixed(labels)[:4], labels[4:]])
    own = labels.numpy() == 1.0
    assert not own.any(1)[:3].all()
    for loss, rest in ((AdaCos(DIM, CLASSES, True), 0.0), (AdaProj(DIM, CLASSES, 3, True), 1.0)):
        cosines, before = loss.similarities(embeddings).detach().double().numpy(), float(loss.scale)
        sums = np.where(own, rest, np.exp(before * cosines)).sum(1)
        angle = np.median((labels.numpy() * np.arccos(cosines)).sum(1))
        loss(embeddings, labels)
        assert float(loss.scale) == pytest.approx(math.log(sums.mean()) / math.cos(min(math.pi / 4, angle)), rel=1e-5)


def test_the_scale_of_sub_clusters_counts_other_classes_alone_where_nothing_is_mixed():
    embeddings, own, labels = batch()
    loss = SubClusterAdaCos(DIM, CLASSES, 4, trainable=True, mixed=False)
    powers = np.exp(float(loss.scale) * np.einsum("bd,csd->bcs", unit(embeddings), unit(loss.directions)))
    powers[range(BATCH), own] = 0.0
    angles = np.arccos(np.einsum("bd,bsd->bs", unit(embeddings), unit(loss.directions)[own])).mean(1)
    loss(embeddings, labels)
    expected = math.log(powers.sum((1, 2)).mean()) / math.cos(min(math.pi / 4, np.median(angles)))
    assert float(loss.scale) == pytest.approx(expected, rel=1e-5)


def nearest(loss, embeddings):
    """The class that each clip is most similar to, by angles alone."""
    with torch.no_grad():
        if isinstance(loss, AdaCos):
            return loss.similarities(embeddings).argmax(1).tolist()
        found = np.einsum("bd,csd->bcs", unit(embeddings), unit(loss.directions))
        return found.max(2).argmax(1).tolist()


@pytest.mark.parametrize(
    ("name", "share"), [("adacos", 0.0), ("adacos", 0.5), ("adaproj", 0.0), ("adaproj", 0.5), ("scac", 0.0)]
)
@pytest.mark.parametrize("classes", [2, 3])
def test_few_classes_are_learned_and_the_scale_stays_between_bounds(name, classes, share):
    """A scale below zero drives clips away from their class; one that counts the own class grows without end."""
    torch.manual_seed(0)
    loss = margin_loss(
        name, DIM, classes, trainable=True, adaptive=True, mixed=share > 0, sub_clusters=4, subspace_dim=2, margin=0.5,
        scale=30.0,
    )  # fmt: skip
    own = torch.arange(12) % classes
    labels = torch.nn.functional.one_hot(own, classes).float()
    embeddings = torch.randn(12, DIM, requires_grad=True)
    optimiser = torch.optim.Adam([embeddings, *loss.parameters()], 0.05)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        rows, wanted = mixup(embeddings, labels, share, generator)
        optimiser.zero_grad()
        loss(rows, wanted).backward()
        optimiser.step()
        assert 0.0 < float(loss.scale) < 10.0
    loss.eval()
    assert loss(embeddings, labels) < loss(embeddings, labels.roll(1, 1)) - 0.1
    assert own.tolist() == nearest(loss, embeddings)
