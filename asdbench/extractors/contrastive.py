"""The contrastive loss of Siamese networks."""

from torch import Tensor


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
