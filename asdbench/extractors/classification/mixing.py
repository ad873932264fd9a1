"""Mixup of waveforms, and feature exchange between the branches' embeddings; both change the labels alike."""

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
    own = torch.rand(len(waveforms), 1, generator=generator)
    kept = torch.rand(len(waveforms), 1, generator=generator) >= probability
    own = torch.where(kept, torch.ones(()), own).to(waveforms.device)
    partner = partner.to(waveforms.device)
    return torch.lerp(waveforms[partner], waveforms, own), torch.lerp(labels[partner], labels, own)


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
