"""The waveform itself, for extractors that make their own spectra."""

from torch import Tensor


class Waveform:
    """Hands on the samples: (batch, samples) -> (batch, 1, 1, samples), a frame for each sample."""

    def __init__(self, *, sample_rate_hz: int, channel: str) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.channel = channel
        self.frame_rate_hz = float(sample_rate_hz)
        self.min_samples = 1

    def __call__(self, waveform: Tensor) -> Tensor:
        """Float32 (batch, samples) -> float32 (batch, 1, 1, samples)."""
        return waveform[:, None, None, :]
