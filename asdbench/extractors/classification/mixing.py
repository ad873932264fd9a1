"""Mixup of waveforms, exchange of spectrograms' statistics and of branches' embeddings; all change the labels alike."""

from dataclasses import dataclass

import torch
from torch import Tensor


def mixup(waveforms: Tensor, labels: Tensor, probability: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Clips mixed with others of the batch, each with this probability (Zhang et al., 2018).

    Args:
        waveforms: (batch, samples).
        labels: (batch, classes).
        probability: that a clip is mixed; its share of itself is then drawn evenly from 0 to 1, as Wilkinghoff does.
        generator: on the CPU; decides everything.
    """
    partner = torch.randperm(len(waveforms), generator=generator)
    share = torch.rand(len(waveforms), 1, generator=generator)
    unmixed = torch.rand(len(waveforms), 1, generator=generator) >= probability
    share = torch.where(unmixed, torch.ones(()), share).to(waveforms.device)
    partner = partner.to(waveforms.device)
    return torch.lerp(waveforms[partner], waveforms, share), torch.lerp(labels[partner], labels, share)


@dataclass(frozen=True)
class StatisticsExchange:
    """StatEx (Chen et al., 2023) with the labels of Wilkinghoff (2024): who takes whose mean and deviation.

    Attributes:
        partner: (batch,), the clip whose statistics a clip would take.
        exchanged: (batch,), whether it does.
        axis: of (batch, frames, bins) along which statistics are taken: 1, over time, one of each bin; 2, over
            frequency, one of each frame.
    """

    partner: Tensor
    exchanged: Tensor
    axis: int

    @classmethod
    def drawn(
        cls, count: int, probability: float, axis: int, generator: torch.Generator, device: torch.device
    ) -> "StatisticsExchange":
        """Each of ``count`` clips exchanges with this probability; the generator, on the CPU, decides everything."""
        exchanged = torch.rand(count, generator=generator) < probability
        return cls(torch.randperm(count, generator=generator).to(device), exchanged.to(device), axis)

    def spectrograms(self, values: Tensor) -> Tensor:
        """(batch, frames, bins) -> the same shape: (x - mean) / deviation x deviation' + mean', where exchanged."""
        mean = values.mean(self.axis, keepdim=True)
        centred = values - mean
        deviation = centred.square().mean(self.axis, keepdim=True).sqrt()
        # a bin that never changes has nothing to stretch, and 0 / 0 would be no number
        exchanged = centred * (deviation[self.partner] / deviation.clamp_min(1e-16)) + mean[self.partner]
        return torch.where(self.exchanged[:, None, None], exchanged, values)

    def labels(self, labels: Tensor) -> Tensor:
        """(batch, classes) -> (batch, 3 x classes): [y, 0, 0] of an untouched clip, [0, y / 2, y' / 2] of another."""
        exchanged = self.exchanged[:, None]
        parts = [torch.where(exchanged, 0.0, labels)]
        parts += [torch.where(exchanged, part / 2, 0.0) for part in (labels, labels[self.partner])]
        return torch.cat(parts, dim=1)


def exchange_features(
    embeddings: list[Tensor], labels: Tensor, probability: float, generator: torch.Generator
) -> tuple[list[Tensor], Tensor]:
    """FeatEx (Wilkinghoff, 2024): a clip gets the embeddings of all branches but the first from other clips.

    Args:
        embeddings: one (batch, dim) for each of n branches.
        labels: (batch, classes).
        probability: that a clip's embeddings are exchanged.
        generator: on the CPU; decides everything.

    Returns:
        Embeddings of the same shapes, and labels (batch, classes * (n + 1)): an untouched clip has its label in the
        first part; an exchanged one has in each branch's own part a share 1 / n of the label of the clip that the
        branch's embedding is of. For two branches the paper's [y, 0, 0] and [0, y / 2, y' / 2].
    """
    count, device = len(labels), labels.device
    exchanged = (torch.rand(count, 1, generator=generator) < probability).to(device)
    partners = [torch.arange(count), *(torch.randperm(count, generator=generator) for _ in embeddings[1:])]
    partners = [partner.to(device) for partner in partners]
    mixed = [torch.where(exchanged, rows[partner], rows) for rows, partner in zip(embeddings, partners, strict=True)]
    parts = [torch.where(exchanged, 0.0, labels)]
    parts += [torch.where(exchanged, labels[partner] / len(embeddings), 0.0) for partner in partners]
    return mixed, torch.cat(parts, dim=1)
