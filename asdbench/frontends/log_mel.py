"""Log-mel spectrogram."""

import torch
from torch import Tensor
from torchaudio.functional import melscale_fbanks

from asdbench.core.errors import UsageError
from asdbench.frontends.spectrum import FilteredSpectrum


class LogMel:
    """Log-mel spectrogram in dB re full scale: ``(20 / power) * log10(mel filterbank(|STFT|^power))``.

    Hann window, frames centred, edges reflected or filled with zeros. Called with (batch, samples), gives
    (batch, 1, n_mels, frames) with ``frames = 1 + samples // hop``.

    Raises:
        UsageError: ``f_max_hz`` lies above half the sample rate or below ``f_min_hz``.
    """

    def __init__(
        self,
        *,
        sample_rate_hz: int,
        channel: str,
        n_fft: int,
        hop: int,
        n_mels: int,
        f_min_hz: float,
        f_max_hz: float,
        power: float,
        mel_scale: str,
        mel_norm: str,
        floor_db: float,
        edges: str,
    ) -> None:
        if not f_min_hz < f_max_hz <= sample_rate_hz / 2:
            raise UsageError(
                f"log-mel.f_max_hz is {f_max_hz:g}; it takes a number above f_min_hz ({f_min_hz:g}) and at most half "
                f"the sample rate ({sample_rate_hz / 2:g}). See: asdbench show log-mel"
            )
        self.sample_rate_hz = sample_rate_hz
        self.channel = channel
        self.frame_rate_hz = sample_rate_hz / hop
        self.min_samples = n_fft // 2 + 1  # reflection at the edges needs more than half a window
        self._scale = 20.0 / power
        self._floor = 10.0 ** (floor_db / self._scale)
        filters = melscale_fbanks(
            n_fft // 2 + 1,
            f_min_hz,
            f_max_hz,
            n_mels,
            sample_rate_hz,
            norm=None if mel_norm == "none" else mel_norm,
            mel_scale=mel_scale,
        )
        self._hop = hop
        self._mel = FilteredSpectrum(n_fft, filters, power, "reflect" if edges == "reflect" else "constant")

    @torch.no_grad()
    def __call__(self, waveform: Tensor) -> Tensor:
        """Float32 (batch, samples) -> float32 (batch, 1, n_mels, frames), in dB."""
        mel = self._mel(waveform, self._hop)
        return mel.clamp_min_(self._floor).log10_().mul_(self._scale).unsqueeze(1)
