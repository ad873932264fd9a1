"""Dasheng: scaling up masked audio encoder learning for general audio classification (Dinkel et al., 2024)."""

import re
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from timm.layers.helpers import to_2tuple
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

from asdbench.extractors.encoders.encoder import Encoder
from asdbench.extractors.encoders.network import FOLDER, EncoderNetwork, Layer
from asdbench.extractors.encoders.vit import after_layers

DEFAULTS = {"patch_size": (64, 4), "patch_stride": (64, 4), "embed_dim": 768, "depth": 12, "num_heads": 8,
            "mlp_ratio": 4.0, "qkv_bias": True, "init_values": None, "target_length": 1008, "pooling": "mean",
            "n_fft": 512, "n_mels": 64, "hop_size": 160, "win_size": 512, "f_min": 0, "f_max": 8000, "center": True,
            "top_db": 120}  # fmt: skip


class Dasheng(Encoder):
    """Patches of 40 ms over all 64 mel bands, one band, from a masked autoencoder's encoder.

    The last layer's output goes through the network's final normalisation, that of others does not. Clips longer than
    the network's ``target_length`` (1,008 frames of 10 ms as published) go through in windows of that length.
    """

    name = "dasheng"

    @property
    def network_class(self) -> type[EncoderNetwork]:
        """Dasheng's network."""
        return DashengNetwork


class DashengNetwork(EncoderNetwork):
    """The network of a file {"config": ..., "model": ...} as XiaoMi/dasheng publishes it.

    Args:
        config: the file's configuration.
    """

    architecture = "Dasheng"
    accepted = f"a published file of Dasheng, with 'config' and 'model' in it, or its {FOLDER}"
    left_out = ("front_end.", "outputlayer.")  # the front end is computed
    defaults: ClassVar[Mapping[str, Any]] = DEFAULTS

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        config = {**self.defaults, **config, **config.get("encoder_kwargs", {})}
        dim, self.depth, mels = config["embed_dim"], config["depth"], config["n_mels"]
        patch, self._stride = to_2tuple(config["patch_size"]), to_2tuple(config["patch_stride"])
        self._window = config["target_length"]
        self.has_cls = config["pooling"] == "token"
        self.min_samples = max((patch[1] - 1) * config["hop_size"], config["n_fft"] // 2 + 1)
        if not config["center"]:
            self.min_samples = (patch[1] - 1) * config["hop_size"] + config["n_fft"]
        spectrogram = MelSpectrogram(
            16000, config["n_fft"], config["win_size"], config["hop_size"], config["f_min"], config["f_max"],
            n_mels=mels, center=config["center"],
        )  # fmt: skip
        self.front_end = nn.Sequential(spectrogram, AmplitudeToDB(top_db=config["top_db"]))
        self.init_bn = nn.Sequential(nn.Identity(), nn.BatchNorm2d(mels))  # the file counts a transposition
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, dim, patch, self._stride)})
        self.time_pos_embed = nn.Parameter(torch.zeros(1, dim, 1, self._window // self._stride[1]))
        self.freq_pos_embed = nn.Parameter(torch.zeros(1, dim, mels // self._stride[0], 1))
        if self.has_cls:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
            self.token_pos_embed = nn.Parameter(torch.zeros(1, dim))
        norm: Any = partial(nn.LayerNorm, eps=1e-6)
        self.blocks = nn.Sequential(
            *(
                Block(
                    dim, config["num_heads"], config["mlp_ratio"], qkv_bias=config["qkv_bias"],
                    init_values=config["init_values"], norm_layer=norm,
                )
                for _ in range(self.depth)
            )
        )  # fmt: skip
        self.norm = norm(dim)

    @classmethod
    def adapted(cls, state: Mapping[str, Any]) -> dict[str, Any]:
        """Hugging Face's names are those of the authors' file behind ``encoder.``."""
        names = {key: re.sub(r"^init_bn\.(?=[a-z])", "init_bn.1.", key.removeprefix("encoder.")) for key in state}
        return {names[key]: value for key, value in state.items()}

    def filter_banks(self, waveforms: Tensor) -> Tensor:
        """Decibels (clips, 1, mels, frames), at most ``top_db`` below the loudest of the clip."""
        banks: Tensor = self.front_end(waveforms[:, None])  # four dimensions, so that each clip has a loudest value
        return banks

    def forward(self, banks: Tensor, layers: Collection[int]) -> dict[int, Layer]:
        """Patches (clips, time, 1, dim) after some layers, window after window.

        The last window is filled up with zeros, and patches of these are left out. As in the authors' program they
        stay where the window holds less than one patch of the clip.
        """
        banks = self.init_bn(banks.transpose(1, 2)).transpose(1, 2)
        clips, frames = len(banks), banks.shape[-1]
        rest = frames % self._window if frames > self._window else 0
        if rest:
            banks = functional.pad(banks, (0, self._window - rest))
        windows = torch.cat(banks.split(self._window, dim=-1))  # the first of every clip, then the second ...
        surplus = self._window // self._stride[1] - rest // self._stride[1] if rest >= self._stride[1] else 0
        outputs = self._layers(windows, layers)
        return {layer: self._joined(values, clips, surplus) for layer, values in outputs.items()}

    def _layers(self, windows: Tensor, layers: Collection[int]) -> dict[int, tuple[Tensor, Tensor]]:
        """Patches (windows, time, bands, dim) and class tokens (windows, tokens, dim) of some layers."""
        grid = self.patch_embed["proj"](windows)  # (windows, dim, bands, time)
        grid = grid + self.time_pos_embed[..., : grid.shape[-1]] + self.freq_pos_embed
        x = grid.flatten(2).mT
        if self.has_cls:
            x = torch.cat([(self.cls_token + self.token_pos_embed).expand(len(x), -1, -1), x], dim=1)
        outputs = {}
        for number, values in after_layers(self.blocks, self.norm, x, layers):
            tokens, patches = values.split([int(self.has_cls), grid.shape[2] * grid.shape[3]], dim=1)
            outputs[number] = patches.unflatten(1, grid.shape[2:]).transpose(1, 2), tokens
        return outputs

    def _joined(self, values: tuple[Tensor, Tensor], clips: int, surplus: int) -> Layer:
        patches, tokens = (one.unflatten(0, (-1, clips)).transpose(0, 1) for one in values)  # (clips, windows, ...)
        joined = patches.flatten(1, 2)
        return Layer(joined[:, : joined.shape[1] - surplus], tokens.mean(dim=(1, 2)) if self.has_cls else None)
