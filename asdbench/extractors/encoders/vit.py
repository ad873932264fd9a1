"""What the encoders share whose networks are vision transformers of filter banks."""

import re
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.compliance import kaldi

from asdbench.extractors.encoders.network import EncoderNetwork, Layer

FRAME, HOP = 400, 160  # samples of the filter banks' windows
HEAD = 64  # values of an attention head in every published network


def sizes_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Configuration of the transformer, and its patch, of weights that come without one.

    Raises:
        KeyError: a weight is not there.
        ValueError: the width is that of no published network.
    """
    hidden, width = state["blocks.0.mlp.fc1.weight"].shape
    if width % HEAD:
        raise ValueError(f"the heads of a width of {width} cannot be derived")
    numbers = [int(found[1]) for key in state if (found := re.match(r"blocks\.(\d+)\.", key))]
    return {
        "embed_dim": width, "depth": 1 + max(numbers), "num_heads": width // HEAD, "mlp_ratio": hidden / width,
        "qkv_bias": "blocks.0.attn.qkv.bias" in state,
    }  # fmt: skip


def after_layers(
    blocks: nn.Sequential, norm: nn.Module, x: Tensor, layers: Collection[int]
) -> Iterator[tuple[int, Tensor]]:
    """Number and output of some layers, one after the other; the last one's goes through ``norm``."""
    for number, block in enumerate(blocks[: max(layers)], 1):
        x = block(x)
        if number in layers:
            yield number, norm(x) if number == len(blocks) else x


class WindowedNetwork(EncoderNetwork):
    """A network with a class token for windows of so many Kaldi filter banks (Hann, 25 ms every 10 ms).

    The last window is filled up with silence. Patches of this belong to a clip that is shorter than one window, as in
    the authors' programs, which cut longer ones; of longer clips they are left out.

    Args:
        window: frames of a window.
        mels: number of filters.
        patch: frames of a patch.
        stride: frames from patch to patch.
        mean: of the filter banks over the authors' training data.
        deviation: theirs as well.

    Attributes:
        centred: whether the mean of a waveform is taken off before; that of each frame is taken off in any case.
    """

    has_cls = True
    centred: ClassVar[bool] = False

    def __init__(self, window: int, mels: int, patch: int, stride: int, mean: float, deviation: float) -> None:
        super().__init__()
        self.min_samples = FRAME + HOP * (patch - 1)
        self._window, self._mels, self._patch, self._stride = window, mels, patch, stride
        self._mean, self._deviation = mean, deviation

    def filter_banks(self, waveforms: Tensor) -> Tensor:
        """Normalised filter banks (clips, frames, mels)."""
        if self.centred:
            waveforms = waveforms - waveforms.mean(dim=1, keepdim=True)
        rate = float(self.sample_rate_hz)
        banks = [
            kaldi.fbank(one[None], num_mel_bins=self._mels, sample_frequency=rate, window_type="hanning")
            for one in waveforms
        ]
        return self._normalised(torch.stack(banks))

    def forward(self, banks: Tensor, layers: Collection[int]) -> dict[int, Layer]:
        """Patches (clips, time, bands, dim) after some layers, window after window."""
        clips, frames = banks.shape[:2]
        full, rest = divmod(frames, self._window)
        filled = rest >= self._patch
        windows = full + filled
        if filled:
            silence = float(self._normalised(torch.zeros(())))
            banks = functional.pad(banks, (0, 0, 0, self._window - rest), value=silence)
        times = full * self._times(self._window) + self._times(rest) if full and filled else None
        split = banks[:, : windows * self._window].unflatten(1, (windows, self._window)).flatten(0, 1)
        return {
            number: Layer(
                patches.unflatten(0, (clips, windows)).flatten(1, 2)[:, :times],
                tokens.unflatten(0, (clips, windows)).mean(dim=1),
            )
            for number, patches, tokens in self.transformed(split, layers)
        }

    @abstractmethod
    def transformed(self, windows: Tensor, layers: Collection[int]) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Number, patches (windows, time, bands, dim) and class tokens (windows, dim) of some layers."""

    def _times(self, frames: int) -> int:
        return 1 + (frames - self._patch) // self._stride

    def _normalised(self, banks: Tensor) -> Tensor:
        return (banks - self._mean) / (2 * self._deviation)
