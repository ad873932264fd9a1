"""The losses of SimCLR and of Siamese networks."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy over a batch of pairs.

    Chen et al. (2020), equation (1); Shin and Lee (2023), equation (1). For each of the 2N projections, the other
    one of its pair is the class to be found among the remaining 2N - 1, by cosine similarity over ``temperature``.

    Args:
        first: (N, dim), one of each pair.
        second: (N, dim), the other.
        temperature: positive.

    Returns:
        Mean over all 2N projections, scalar.
    """
    with torch.autocast(first.device.type, enabled=False):  # bfloat16 is too coarse to be divided by the temperature
        projections = normalize(torch.cat([first, second]).float(), dim=1)
        similarity = projections @ projections.T / temperature
    similarity.fill_diagonal_(-torch.inf)
    count = len(first)
    partner = torch.arange(2 * count, device=first.device).roll(count)
    return cross_entropy(similarity, partner)


def contrastive(distance: Tensor, different: Tensor, margin: float) -> Tensor:
    """``(1 - y) D^2 + y max(0, M - D)^2``, averaged over the pairs.

    Germinario et al. (2022), equation (1); after Hadsell, Chopra and LeCun (2006). Pairs of one class are drawn
    together, pairs of different classes apart until they are ``margin`` away from each other.

    Args:
        distance: D, (pairs,).
        different: y, (pairs,): 1 where the classes differ, 0 where they are the same.
        margin: M.
    """
    apart = (margin - distance).clamp_min(0.0).square()
    return ((1.0 - different) * distance.square() + different * apart).mean()
