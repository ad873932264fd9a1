"""The branches of the classifier: what each makes of the waveform, and the network that reads it.

Wilkinghoff (2023): a residual network on the magnitude spectrogram, and convolutions along the magnitude spectrum of
the whole clip, each giving 128 dimensions; the spectrogram networks of several resolutions after ASDKit (2025). No
layer has a bias, and batch normalisation has neither scale nor shift, so that no branch can give a constant.
"""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from asdbench.core.errors import UsageError
from asdbench.extractors.classification.layers import Normalise, ReluConv
from asdbench.extractors.classification.mixing import StatisticsExchange
from asdbench.extractors.classification.stem import Stem

STAGES = ((16, 1), (32, 2), (64, 2), (128, 2))  # channels and stride of each pair of residual blocks
CONVOLUTIONS = ((256, 64), (64, 32), (16, 4))  # kernel and stride along the spectrum


class Squeeze(nn.Module):
    """Squeeze and excitation (Hu et al., 2018): each channel weighted by what all of them are on average."""

    def __init__(self, channels: int, ratio: int = 16) -> None:
        super().__init__()
        self.inner = nn.Linear(channels, max(1, channels // ratio), bias=False)
        self.outer = nn.Linear(max(1, channels // ratio), channels, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        """(batch, channels, ...) -> the same shape."""
        weights = torch.sigmoid(self.outer(relu(self.inner(values.flatten(2).mean(2)))))
        return values * weights.view(*weights.shape, *[1] * (values.dim() - 2))


class Residual(nn.Module):
    """Normalisation; then ReLU and convolution twice, a normalisation between; the normalised input added."""

    def __init__(self, inputs: int, outputs: int, stride: int, squeeze: bool) -> None:
        super().__init__()
        self.first = Normalise(inputs)
        self.convolution = ReluConv(inputs, outputs, 3, stride)
        self.second = Normalise(outputs)
        self.last = nn.Sequential(ReluConv(outputs, outputs, 3), *([Squeeze(outputs)] if squeeze else []))
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False) if stride > 1 else None

    def forward(self, images: Tensor) -> Tensor:
        """(batch, inputs, height, width) -> (batch, outputs, height / stride, width / stride)."""
        images = self.first(images)
        rest: Tensor = self.last(self.second(self.convolution(images)))
        return rest + (images if self.skip is None else self.skip(max_pool2d(images, 3, 2, 1)))


class SpectrogramBranch(nn.Module):
    """Magnitude STFT from ``min_hz`` up, normalised for each bin, a residual network, the maximum over time.

    Args:
        n_fft: window (Hann) in samples; the hop is half of it.
        rate_hz: sample rate.
        min_hz: bins below are left out.
        remove_mean: take each bin's mean over the clip off first.
        squeeze: squeeze and excitation in every residual block.
        dim: width of the output.

    Raises:
        UsageError: ``min_hz`` leaves nothing.
    """

    window: Tensor

    def __init__(self, n_fft: int, rate_hz: float, min_hz: float, remove_mean: bool, squeeze: bool, dim: int) -> None:
        super().__init__()
        self._n_fft = n_fft
        self._lowest = -int(-min_hz * n_fft // rate_hz)
        self._remove_mean = remove_mean
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        bins = n_fft // 2 + 1 - self._lowest
        if bins < 1:
            raise UsageError(
                f"attribute-classifier.min_hz: {min_hz:g} Hz leaves nothing of recordings at {rate_hz:g} Hz, which "
                f"reach to {rate_hz / 2:g} Hz. Take less: -p attribute-classifier.min_hz=200"
            )
        self.bins = Normalise(bins)
        self.stem = Stem(STAGES[0][0])
        blocks, before = [], STAGES[0][0]
        for channels, stride in STAGES:
            blocks += [Residual(before, channels, stride, squeeze), Residual(channels, channels, 1, squeeze)]
            before = channels
        self.blocks = nn.Sequential(*blocks)
        left = -(-bins // 32)  # five times halved, rounded up
        self.normalise = Normalise(before * left)
        self.dense = nn.Linear(before * left, dim, bias=False)

    def spectrogram(self, waveforms: Tensor, exchange: StatisticsExchange | None = None) -> Tensor:
        """(batch, samples) -> (batch, frames, bins), magnitudes; a clip shorter than a window is repeated.

        Statistics are exchanged before the mean is taken off.
        """
        if waveforms.shape[1] < self._n_fft:
            waveforms = waveforms.repeat(1, -(-self._n_fft // waveforms.shape[1]))[:, : self._n_fft]
        frames = waveforms.unfold(1, self._n_fft, self._n_fft // 2) * self.window
        magnitudes: Tensor = torch.fft.rfft(frames)[..., self._lowest :].abs()
        if exchange is not None:
            magnitudes = exchange.spectrograms(magnitudes)
        return magnitudes - magnitudes.mean(1, keepdim=True) if self._remove_mean else magnitudes

    def forward(self, waveforms: Tensor, exchange: StatisticsExchange | None = None) -> Tensor:
        """(batch, samples) -> (batch, dim)."""
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            magnitudes = self.spectrogram(waveforms, exchange)
        return self.read(magnitudes)

    def read(self, magnitudes: Tensor) -> Tensor:
        """(batch, frames, bins) -> (batch, dim)."""
        with torch.no_grad(), torch.autocast(magnitudes.device.type, enabled=False):
            images = self.bins(magnitudes.permute(0, 2, 1)[..., None])[..., 0].permute(0, 2, 1).contiguous()
        values = self.blocks(self.stem(images)).amax(2)
        rows: Tensor = self.dense(self.normalise(values.flatten(1)[..., None, None])[..., 0, 0])
        return rows


class SpectrumBranch(nn.Module):
    """Magnitude spectrum of a whole clip, three convolutions along it, five dense layers.

    Args:
        samples: length of clip that the network is made for; longer clips are read in several parts that cover them,
            and the spectra averaged, shorter ones are repeated.
        squeeze: squeeze and excitation after every convolution.
        dim: width of the output.
    """

    def __init__(self, samples: int, squeeze: bool, dim: int) -> None:
        super().__init__()
        self._samples = samples
        width, layers, before = samples // 2, list[nn.Module](), 1
        for kernel, stride in CONVOLUTIONS:
            padding = kernel // 2
            layers += [nn.Conv1d(before, 128, kernel, stride, padding, bias=False), nn.ReLU()]
            layers += [Squeeze(128)] if squeeze else []
            width, before = (width + 2 * padding - kernel) // stride + 1, 128
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        dense, before = list[nn.Module](), before * width
        for _ in range(4):
            dense += [nn.Linear(before, dim, bias=False), nn.BatchNorm1d(dim, affine=False), nn.ReLU()]
            before = dim
        self.dense = nn.Sequential(*dense, nn.Linear(dim, dim, bias=False))

    def spectrum(self, waveforms: Tensor) -> Tensor:
        """(batch, samples) -> (batch, self.samples // 2), magnitudes."""
        length = waveforms.shape[1]
        if length < self._samples:
            waveforms = waveforms.repeat(1, -(-self._samples // length))[:, : self._samples]
        parts = -(-waveforms.shape[1] // self._samples)
        last = waveforms.shape[1] - self._samples
        starts = [round(last * part / max(1, parts - 1)) for part in range(parts)]
        spectra = [torch.fft.rfft(waveforms[:, start : start + self._samples]).abs() for start in starts]
        return torch.stack(spectra).mean(0)[:, : self._samples // 2]

    def forward(self, waveforms: Tensor) -> Tensor:
        """(batch, samples) -> (batch, dim)."""
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            spectra = self.spectrum(waveforms)
        return self.read(spectra)

    def read(self, spectra: Tensor) -> Tensor:
        """(batch, samples // 2) -> (batch, dim)."""
        rows: Tensor = self.dense(self.convolutions(spectra[:, None]))
        return rows


def checked(branches: Sequence[str]) -> list[str]:
    """The names, each known and asked for once.

    Raises:
        UsageError: one is not.
    """
    for name in branches:
        if name != "spectrum" and not (re.fullmatch(r"stft-\d+", name) and 64 <= int(name[5:]) <= 16384):
            raise UsageError(
                f"attribute-classifier.branches has no '{name}'. Accepted: spectrum, and stft-N with a window of N "
                "samples from 64 to 16384: -p attribute-classifier.branches=stft-256,stft-1024,spectrum"
            )
    if not branches or len(set(branches)) < len(branches):
        raise UsageError(
            "attribute-classifier.branches takes at least one branch, and each once: "
            "-p attribute-classifier.branches=stft-1024,spectrum"
        )
    return list(branches)
