"""The contract of a front end."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Frontend(Protocol):
    """Turns waveforms into features.

    ``sample_rate_hz`` and ``channel`` say how recordings are decoded for it; ``frame_rate_hz`` how many frames it
    gives for a second; ``min_samples`` is the shortest waveform that it takes.
    """

    sample_rate_hz: int
    channel: str
    frame_rate_hz: float
    min_samples: int

    def __call__(self, waveform: "Tensor") -> "Tensor":
        """Float32 (batch, samples) -> float32 (batch, channels, bins, frames)."""
