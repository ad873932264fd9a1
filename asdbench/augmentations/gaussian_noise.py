"""White Gaussian noise."""

import torch
from torch import Generator, Tensor

from asdbench.augmentations.base import Augmentation, uniform


class GaussianNoise(Augmentation):
    """Adds white Gaussian noise at a level drawn evenly between two levels relative to the clip's power.

    Shin and Lee (2023), section 2.3: -6 to -24 dB.
    """

    works_on = "waveform"

    def __init__(self, *, min_level_db: float, max_level_db: float) -> None:
        self.min_level_db = min_level_db
        self.max_level_db = max_level_db

    def __call__(self, batch: Tensor, generator: Generator) -> Tensor:
        """(batch, samples) -> the same shape."""
        level_db = uniform(len(batch), self.min_level_db, self.max_level_db, generator)
        power = batch.square().mean(dim=1) * 10.0 ** (level_db / 10.0)
        noise = torch.randn(batch.shape, generator=generator)
        return batch + noise * power.sqrt()[:, None]
