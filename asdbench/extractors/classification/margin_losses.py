"""Losses that separate classes by angles: ArcFace, AdaCos, sub-cluster AdaCos, AdaProj.

All take embeddings (batch, dim) of any length and labels (batch, classes) whose rows sum to one; a row of mixup has two
entries or more. The centres, and AdaProj's bases, are drawn at random, and trained or left as they are.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

NEARLY_ONE = 1.0 - 1e-6  # arc cosines beyond it have no finite derivative in single precision


class MarginLoss(nn.Module):
    """What the losses share: random directions, trained or fixed. Subclasses give each class a similarity."""

    directions: Tensor

    def __init__(self, shape: tuple[int, ...], trainable: bool) -> None:
        super().__init__()
        start = normalize(torch.randn(shape), dim=-1)
        if trainable:
            self.directions = nn.Parameter(start)
        else:
            self.register_buffer("directions", start)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss, scalar, in single precision whatever is around it; may move a scale in training."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.value(embeddings.float(), labels)

    def value(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss itself."""
        raise NotImplementedError

    def similarities(self, embeddings: Tensor) -> Tensor:
        """(batch, dim) -> (batch, classes), what the loss takes the classes' probabilities from; no margin."""
        raise NotImplementedError


class ArcFace(MarginLoss):
    """Deng et al. (2019), equation (3): the angle to the clip's own class is made larger by the margin.

    Where angle and margin together pass half a turn, cos(angle) - margin sin(margin) keeps the loss monotonic, as in
    the authors' program. Mixed labels weigh the losses of their classes.
    """

    def __init__(self, dim: int, classes: int, margin: float, scale: float, trainable: bool) -> None:
        super().__init__((classes, dim), trainable)
        self._margin = margin
        self._scale = scale

    def similarities(self, embeddings: Tensor) -> Tensor:
        """Cosines."""
        return normalize(embeddings, dim=1) @ normalize(self.directions, dim=1).T

    def value(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss."""
        cosines = self.similarities(embeddings)
        rows, classes = labels.nonzero(as_tuple=True)
        cosine = cosines[rows, classes]
        angle = torch.acos(cosine.clamp(-NEARLY_ONE, NEARLY_ONE))
        moved = torch.where(
            angle <= math.pi - self._margin,
            torch.cos(angle + self._margin),
            cosine - self._margin * math.sin(self._margin),
        )
        logits = cosines[rows].scatter(1, classes[:, None], moved[:, None])
        losses = cross_entropy(self._scale * logits, classes, reduction="none")
        return (labels[rows, classes] * losses).sum() / len(labels)


class AdaptiveScale(MarginLoss):
    """AdaCos's scale (Zhang et al., 2019): begins at sqrt(2) log(n - 1) for n directions and follows the angles.

    Equation (14) with a logarithm that does not overflow: log B / cos(min(pi / 4, median angle to the own class)), B
    the mean over clips of the sum of exp(scale x cosine) over the classes that are not theirs. Where B is below one,
    with very few classes, the scale stays: below zero it would drive clips away from their own class. ``adaptive`` may
    be set to false; then the scale stays where it begins.
    """

    adaptive = True

    scale: Tensor

    def __init__(self, shape: tuple[int, ...], count: int, trainable: bool) -> None:
        super().__init__(shape, trainable)
        self.register_buffer("scale", torch.tensor(math.sqrt(2.0) * math.log(max(2, count - 1))))

    @torch.no_grad()
    def follow(self, cosines: Tensor, angles: Tensor, counted: Tensor, others: float = -torch.inf) -> None:
        """Set the scale by the cosines (batch, n) that are counted (batch, n) and each clip's own angle (batch,).

        Those not counted have ``others`` for their exponent.
        """
        if not self.adaptive:
            return
        exponents = (self.scale * cosines).masked_fill(~counted, others)
        logarithm = torch.logsumexp(exponents.flatten(), 0) - math.log(len(cosines))
        scale = logarithm / torch.cos(angles.median().clamp(max=math.pi / 4))
        self.scale.copy_(torch.where(logarithm > 0.0, scale, self.scale))


class AdaCos(AdaptiveScale):
    """Zhang et al. (2019): softmax cross entropy of cosines times the adaptive scale, without a margin.

    A mixed clip's own classes count for the scale too. Two classes leave their equation nothing to sum, as its start,
    sqrt(2) log(2 - 1), shows; the scale then stays where that of three begins.
    """

    others = -torch.inf

    def __init__(self, dim: int, classes: int, trainable: bool) -> None:
        super().__init__((classes, dim), classes, trainable)

    def similarities(self, embeddings: Tensor) -> Tensor:
        """Cosines."""
        return normalize(embeddings, dim=1) @ normalize(self.directions, dim=1).T

    def value(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss; moves the scale in training."""
        cosines = self.similarities(embeddings)
        if self.training:
            angles = torch.acos(cosines.detach().clamp(-NEARLY_ONE, NEARLY_ONE))
            if cosines.shape[1] > 2 or self.others == 0.0:
                self.follow(cosines, (labels * angles).sum(1), labels < NEARLY_ONE, self.others)
        return cross_entropy(self.scale * cosines, labels)


class SubClusterAdaCos(AdaptiveScale):
    """Wilkinghoff (2021): each class has several centres, and its probability is the sum of theirs.

    As clips are mixed, all centres count for the scale; if they never are, those of other classes, or the scale would
    grow without end. The angle to the own class is the mean one of its centres; the
    author's program takes the sum, and both lie above pi / 4, where the scale no longer asks, as long as the centres
    of a class are apart.
    """

    def __init__(self, dim: int, classes: int, sub_clusters: int, trainable: bool, mixed: bool = True) -> None:
        super().__init__((classes, sub_clusters, dim), classes * sub_clusters, trainable)
        self._mixed = mixed

    def similarities(self, embeddings: Tensor) -> Tensor:
        """Logarithms of the sums over each class's centres."""
        return torch.logsumexp(self.scale * self._cosines(embeddings), 2)

    def _cosines(self, embeddings: Tensor) -> Tensor:
        return torch.einsum("bd,csd->bcs", normalize(embeddings, dim=1), normalize(self.directions, dim=2))

    def value(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss; moves the scale in training."""
        cosines = self._cosines(embeddings)
        if self.training:
            angles = torch.acos(cosines.detach().clamp(-NEARLY_ONE, NEARLY_ONE)).mean(2)
            counted = (labels == 0) | self._mixed
            self.follow(cosines.flatten(1), (labels * angles).sum(1), counted.repeat_interleave(cosines.shape[2], 1))
        return cross_entropy(torch.logsumexp(self.scale * cosines, 2), labels)


class AdaProj(AdaCos):
    """Wilkinghoff (2024): the cosine of a clip with its projection onto the class's subspace, for AdaCos's scale.

    The projection is the sum over the subspace's directions of <x, c> c, as in the paper; random directions are nearly
    orthogonal, so none are made orthogonal. For the scale, an unmixed clip's own class counts as one orthogonal to it,
    as in the author's program, so that two classes have a scale.
    """

    others = 0.0

    def __init__(self, dim: int, classes: int, subspace_dim: int, trainable: bool) -> None:
        AdaptiveScale.__init__(self, (classes, subspace_dim, dim), classes, trainable)

    def similarities(self, embeddings: Tensor) -> Tensor:
        """Cosines with the projections."""
        bases = normalize(self.directions, dim=2)
        parts = torch.einsum("bd,csd->bcs", normalize(embeddings, dim=1), bases)
        gram = bases @ bases.transpose(1, 2)  # the projection's length needs no vector of dim numbers
        length = torch.einsum("bcs,cst,bct->bc", parts, gram, parts).clamp_min(1e-12).sqrt()
        return parts.square().sum(2) / length


def margin_loss(
    name: str,
    dim: int,
    classes: int,
    *,
    trainable: bool,
    adaptive: bool,
    mixed: bool,
    sub_clusters: int,
    subspace_dim: int,
    margin: float,
    scale: float,
) -> MarginLoss:
    """The loss "arcface", "adacos", "scac" or "adaproj"; each takes of the rest what it has.

    ``mixed`` says whether labels of several classes are to be met at all.
    """
    if name == "arcface":
        return ArcFace(dim, classes, margin, scale, trainable)
    loss: AdaptiveScale
    if name == "adacos":
        loss = AdaCos(dim, classes, trainable)
    elif name == "scac":
        loss = SubClusterAdaCos(dim, classes, sub_clusters, trainable, mixed)
    else:
        loss = AdaProj(dim, classes, subspace_dim, trainable)
    loss.adaptive = adaptive
    return loss
