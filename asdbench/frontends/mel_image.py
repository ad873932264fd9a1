"""Spectrogram as an image of fixed size, however long the clip."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, interpolate
from torchaudio.functional import melscale_fbanks

from asdbench.core.errors import UsageError
from asdbench.frontends.spectrum import FilteredSpectrum

CLIP_S = 10.0  # length of the paper's clips
LINEAR_BINS = 1025


class MelImage:
    """Spectrogram of a stated size in dB, resized to a square image.

    Germinario et al. (2022), section 2.1: a (384, 384) mel spectrogram resized to (128, 128). The hop is chosen for
    each clip so that it fills the stated number of frames; where that would leave samples unheard, the hop is half a
    window and neighbouring frames are averaged. A size of 1025 bins is the spectrogram before the mel filters.

    ``frame_rate_hz`` holds for clips of 10 s.

    Raises:
        UsageError: the size cannot be made with this window.
    """

    def __init__(
        self, *, sample_rate_hz: int, channel: str, spectrogram: str, image: int, n_fft: int, floor_db: float
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.channel = channel
        self.min_samples = n_fft // 2 + 1
        self._bins, self._frames = (int(part) for part in spectrogram.split("x"))
        self._image = image
        self._n_fft = n_fft
        self._floor = 10.0 ** (floor_db / 10.0)
        self.frame_rate_hz = (image or self._frames) / CLIP_S
        if self._bins == LINEAR_BINS:
            if n_fft // 2 + 1 != LINEAR_BINS:
                raise UsageError(
                    f"mel-image.spectrogram: {spectrogram} takes a window of {2 * (LINEAR_BINS - 1)} samples, "
                    f"and n_fft is {n_fft}. See: asdbench show mel-image"
                )
            filters = torch.eye(LINEAR_BINS)
        else:
            filters = melscale_fbanks(
                n_fft // 2 + 1, 0.0, sample_rate_hz / 2, self._bins, sample_rate_hz, norm="slaney", mel_scale="slaney"
            )
        self._spectrum = FilteredSpectrum(n_fft, filters)

    @torch.no_grad()
    def __call__(self, waveform: Tensor) -> Tensor:
        """Float32 (batch, samples) -> float32 (batch, 1, image, image), in dB; (bins, frames) where image is 0."""
        hop = min(waveform.shape[-1] // self._frames + 1, self._n_fft // 2)
        power = self._spectrum(waveform, hop)
        level_db = 10.0 * adaptive_avg_pool1d(power, self._frames).clamp_min(self._floor).log10()
        picture = level_db.unsqueeze(1)
        if self._image and picture.shape[-2:] != (self._image, self._image):
            picture = interpolate(picture, (self._image, self._image), mode="bilinear", antialias=True)
        return picture
