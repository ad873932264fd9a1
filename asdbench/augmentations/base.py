"""The contract of an augmentation."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Generator, Tensor


class Augmentation(ABC):
    """Alters a batch; the result depends on the batch and the generator alone.

    A batch is a group of copies of one clip or of several. Where a method wants halves (half lowered, half raised),
    the even positions are the first half and the odd ones the second, so a batch of two copies holds one of each.

    Attributes:
        works_on: "waveform" for batches (batch, samples), "spectrogram" for (batch, channels, bins, frames).
        rate_hz: steps per second along the last axis (sample rate or frame rate); set before the first call.
    """

    works_on: ClassVar[Literal["waveform", "spectrogram"]]
    rate_hz: float = 16000.0

    @abstractmethod
    def __call__(self, batch: Tensor, generator: Generator) -> Tensor:
        """Altered batch of the same shape."""


def uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    """``count`` numbers drawn evenly from [low, high)."""
    import torch

    return low + (high - low) * torch.rand(count, generator=generator)
