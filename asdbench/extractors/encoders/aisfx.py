"""aiSFX: representations for the automatic indexing of sound effects libraries (Ma et al., 2022)."""

import re
from collections.abc import Collection, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.functional import melscale_fbanks

from asdbench.core.digests import file_digest
from asdbench.extractors.encoders.encoder import Encoder
from asdbench.extractors.encoders.network import EncoderNetwork, Layer

RATE, FRAME, HOP, MELS = 44100, 2048, 1024, 96
LOUDEST = 9.457798957824707  # of the authors' filter banks, which are divided by it
WINDOW, STEP = 100, 50  # frames that the network sees at once, 2.3 s
WIDTHS = (64, 128, 256, 512)


class Aisfx(Encoder):
    """A convolutional network over windows of 2.3 s every 1.2 s.

    Layers 1 to 4 are its blocks, with 48, 24, 12 and 12 bands; layer 5, the last, is the published embedding of each
    window: the mean over bands, then the maximum over time, of block 4.
    """

    name = "aisfx"
    how_to_get = (
        "Install the package that carries them (python -m pip install --no-deps aisfx==0.1.2), or name its wheel"
    )

    @staticmethod
    def installed_weights() -> str:
        """The checkpoint in the installed package aisfx, whose code is not imported."""
        try:
            checkpoint = Path(str(metadata.distribution("aisfx").locate_file("aisfx/models/checkpoint.pth")))
        except metadata.PackageNotFoundError:
            return ""
        return str(checkpoint) if checkpoint.is_file() else ""

    @property
    def network_class(self) -> type[EncoderNetwork]:
        """The network of aiSFX."""
        return AisfxNetwork


def installed_digest(params: Mapping[str, Any]) -> str | None:
    """Digest of the weights where no file is named, by which they count."""
    path = "" if params["weights"] else Aisfx.installed_weights()
    return file_digest(Path(path)) if path else None


class AisfxNetwork(EncoderNetwork):
    """The network "X-Sequential-CE" of the package aisfx; its classifiers are left out."""

    architecture = "aiSFX"
    accepted = "the wheel of the package aisfx 0.1.2, or the checkpoint.pth in it"
    left_out = ("fc.",)
    sample_rate_hz = RATE
    min_samples = FRAME
    depth = len(WIDTHS) + 1
    window: Tensor
    filters: Tensor

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(FRAME), persistent=False)
        filters = melscale_fbanks(FRAME // 2 + 1, 0, RATE / 2, MELS, RATE, mel_scale="htk")
        self.register_buffer("filters", filters / filters.sum(dim=0).clamp_min(1e-10), persistent=False)
        widths = config["widths"]
        self.blocks = nn.ModuleList(_Block(*pair) for pair in zip((1, *widths[:-1]), widths, strict=True))

    @classmethod
    def sizes(cls, state: Mapping[str, Any]) -> dict[str, Any] | None:
        """Widths of the blocks."""
        widths = (state[f"blocks.{number}.conv1.weight"] for number in range(len(WIDTHS)))
        return {"widths": [len(weight) for weight in widths]}

    @classmethod
    def adapted(cls, state: Mapping[str, Any]) -> dict[str, Any]:
        """Blocks count from 0."""
        found = re.compile(r"^embedding_net\.conv_block(\d)\.")
        return {found.sub(lambda one: f"blocks.{int(one[1]) - 1}.", key): value for key, value in state.items()}

    def filter_banks(self, waveforms: Tensor) -> Tensor:
        """log10(1 + 10^4 x) of mel powers (clips, frames, 96), of waveforms whose peak is 1."""
        peaks = waveforms.abs().amax(dim=1, keepdim=True)
        scaled = waveforms / torch.where(peaks > 0, peaks, 1.0)
        spectra = torch.stft(scaled, FRAME, HOP, window=self.window, pad_mode="constant", return_complex=True)
        return torch.log10(1 + 1e4 * (spectra.abs().square().mT @ self.filters)) / LOUDEST

    def forward(self, banks: Tensor, layers: Collection[int]) -> dict[int, Layer]:
        """Patches (clips, time, bands, dim) after some blocks, window after window; of layer 5 one a window.

        A clip shorter than a window is filled up with zeros, and what no whole window holds at the end is left out,
        as in the authors' program.
        """
        banks = functional.pad(banks, (0, 0, 0, max(0, WINDOW - banks.shape[1])))
        windows = banks.unfold(1, WINDOW, STEP).mT  # (clips, windows, frames, mels)
        x = windows.flatten(0, 1)[:, None]
        outputs = {}
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            x = functional.max_pool2d(x, 2) if number < len(self.blocks) else x
            outputs[number] = x.permute(0, 2, 3, 1)  # (windows, time, bands, dim)
        outputs[self.depth] = x.mean(dim=3).amax(dim=2)[:, None, None]
        return {layer: Layer(outputs[layer].unflatten(0, windows.shape[:2]).flatten(1, 2)) for layer in layers}


class _Block(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)))
