"""Selective Mahalanobis scores of an autoencoder's residuals, as published twice.

The official program of DCASE 2023 Task 2 and its paper (Harada et al., 2023, arXiv 2303.00455) differ; both are here.
A residual is what the autoencoder leaves of one frame, a vector of ``bins`` numbers.
"""

from collections.abc import Iterable

import torch
from torch import Tensor


class Scatter:
    """Covariance (bins, bins) of one domain's training residuals, gathered batch by batch in float64."""

    def __init__(self, bins: int) -> None:
        self.vectors = 0
        self._rows = 0
        self._within = torch.zeros(bins, bins, dtype=torch.float64)
        self._about_zero = torch.zeros(bins, bins, dtype=torch.float64)
        self._total = torch.zeros(bins, dtype=torch.float64)

    def add(self, residuals: Tensor) -> None:
        """Count the residuals of one batch of stacked vectors (vectors, frames, bins)."""
        if len(residuals) == 0:
            return
        rows = residuals.flatten(0, 1).cpu().double()
        centred = rows - rows.mean(dim=0)
        self.vectors += len(residuals)
        self._rows += len(rows)
        self._within += centred.T @ centred
        self._about_zero += rows.T @ rows
        self._total += rows.sum(dim=0)

    def program(self) -> Tensor:
        """As the official program: centred within each batch, divided by the number of vectors less one."""
        return self._within / (self.vectors - 1)

    def paper(self) -> Tensor:
        """As the textbook: centred by the mean of all residuals, divided by their number less one."""
        mean = self._total / self._rows
        return (self._about_zero - self._rows * torch.outer(mean, mean)) / (self._rows - 1)


def inverse(covariance: Tensor) -> tuple[Tensor, int]:
    """Inverse of a covariance, or its pseudo-inverse when it is singular; and its rank."""
    rank = int(torch.linalg.matrix_rank(covariance, hermitian=True))
    whole = rank == len(covariance)
    precision = torch.linalg.inv(covariance) if whole else torch.linalg.pinv(covariance, hermitian=True)
    return precision.contiguous(), rank


def program_score(residuals: Tensor, precisions: Iterable[Tensor]) -> Tensor:
    """Smallest squared distance of the clip's mean residual under the domains' precisions, scalar.

    Args:
        residuals: (frames, bins) of one clip.
        precisions: inverse covariances (bins, bins), one for each domain.
    """
    mean = residuals.double().mean(dim=0)
    return torch.stack([mean @ precision @ mean for precision in precisions]).min()


def paper_score(residuals: Tensor, precisions: Iterable[Tensor]) -> Tensor:
    """Mean over frames of each frame's smallest squared distance under the domains' precisions, scalar.

    Args:
        residuals: (frames, bins) of one clip.
        precisions: inverse covariances (bins, bins), one for each domain.
    """
    rows = residuals.double()
    squared = [torch.einsum("fb,bc,fc->f", rows, precision, rows) for precision in precisions]
    return torch.stack(squared).min(dim=0).values.mean()
