"""EAT: self-supervised pre-training with efficient audio transformer (Chen et al., 2024)."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from asdbench.extractors.encoders.encoder import Encoder
from asdbench.extractors.encoders.network import FOLDER, EncoderNetwork
from asdbench.extractors.encoders.vit import WindowedNetwork, after_layers, sizes_of

MEAN, DEVIATION = -4.268, 4.569  # of the filter banks, over the training data of the authors
DEFAULTS = {"embed_dim": 768, "depth": 12, "num_heads": 12, "patch_size": 16, "stride": 16, "mel_bins": 128,
            "max_length": 768, "mlp_ratio": 4.0, "qkv_bias": True, "layer_norm_first": False, "norm_eps": 1e-6,
            "img_size": (1024, 128)}  # fmt: skip


class Eat(Encoder):
    """Patches of 160 ms by 16 of 128 mel bands, 8 bands, and a class token, from a transformer taught without labels.

    A fine-tuned network gives embeddings of the same kind; its head is left out. Clips go through in windows of 1,024
    frames of 10 ms, which are filled up as the authors' program does.
    """

    name = "eat"

    @property
    def network_class(self) -> type[EncoderNetwork]:
        """EAT's network."""
        return EatNetwork


class EatNetwork(WindowedNetwork):
    """The network as Hugging Face has it; the names of the authors' files are brought to that.

    Args:
        config: of Hugging Face's folder.
    """

    architecture = "EAT"
    accepted = f"EAT's {FOLDER}; a file of it only where that holds tensors alone"
    centred = True
    left_out = ("head.", "fc_norm.", "decoder.", "shared_decoder.", "recon_proj.", "cls_proj.", "center")

    def __init__(self, config: Mapping[str, Any]) -> None:
        config = {**DEFAULTS, **config}
        patch, stride, mels = config["patch_size"], config["stride"], config["mel_bins"]
        super().__init__(config["img_size"][0], mels, patch, stride, MEAN, DEVIATION)
        if config["layer_norm_first"]:
            raise ValueError("layer_norm_first is not that of a published network")
        dim, self.depth = config["embed_dim"], config["depth"]
        norm: Any = partial(nn.LayerNorm, eps=config["norm_eps"])
        positions = torch.zeros(1, config["max_length"] * (mels // patch), dim)
        self.local_encoder = nn.ModuleDict({"proj": nn.Conv2d(1, dim, patch, stride)})
        self.fixed_positional_encoder = nn.ParameterDict({"positions": nn.Parameter(positions)})
        self.extra_tokens = nn.Parameter(torch.zeros(1, 1, dim))
        self.pre_norm = norm(dim)
        self.blocks = nn.Sequential(
            *(
                _Block(dim, config["num_heads"], config["mlp_ratio"], qkv_bias=config["qkv_bias"], norm_layer=norm)
                for _ in range(self.depth)
            )
        )

    @classmethod
    def adapted(cls, state: Mapping[str, Any]) -> dict[str, Any]:
        """Names of Hugging Face's folder without ``model.``, and those of the authors' files."""
        names = {key: re.sub(r"^(model\.)?(modality_encoders\.IMAGE\.)?", "", key) for key in state}
        return {names[key].replace("context_encoder.norm.", "pre_norm."): value for key, value in state.items()}

    @classmethod
    def sizes(cls, state: Mapping[str, Any]) -> dict[str, Any]:
        """Read off the transformer and the positions."""
        patch = state["local_encoder.proj.weight"].shape[-1]
        bands = DEFAULTS["mel_bins"] // patch
        positions = state["fixed_positional_encoder.positions"].shape[1]
        return {**sizes_of(state), "patch_size": patch, "stride": patch, "max_length": positions // bands}

    def transformed(self, windows: Tensor, layers: Collection[int]) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Number, patches and class tokens of some layers."""
        grid = self.local_encoder["proj"](windows[:, None])  # (windows, dim, time, bands)
        x = grid.flatten(2).mT
        x = x + self.fixed_positional_encoder["positions"][:, : x.shape[1]]
        x = self.pre_norm(torch.cat([self.extra_tokens.expand(len(x), -1, -1), x], dim=1))
        for number, values in after_layers(self.blocks, nn.Identity(), x, layers):
            yield number, values[:, 1:].unflatten(1, grid.shape[2:]), values[:, 0]


class _Block(Block):
    """A transformer's layer that is normalised behind each of its two sums, not before them."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # without a mask
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))  # type: ignore[no-any-return]
