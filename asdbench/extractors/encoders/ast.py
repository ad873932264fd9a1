"""AST: audio spectrogram transformer (Gong et al., 2021)."""

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

DEFAULTS = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
            "hidden_act": "gelu", "layer_norm_eps": 1e-12, "patch_size": 16, "qkv_bias": True, "frequency_stride": 10,
            "time_stride": 10, "max_length": 1024, "num_mel_bins": 128, "mean": -4.2677393,
            "std": 4.5689974}  # fmt: skip
NAMES = (  # what Hugging Face and the authors call weights, and what they are called here, in this order
    (r"^(module\.v|audio_spectrogram_transformer|module|v)\.", ""),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings", "pos_embed"),
    (r"^embeddings\.distillation_token", "dist_token"),
    (r"^embeddings\.cls_token", "cls_token"),
    (r"^layernorm\.", "norm."),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.attention\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
)


class Ast(Encoder):
    """Overlapping patches of 160 ms by 16 of 128 mel bands, 10 frames and 10 bands apart: 12 bands, 101 times.

    The class token is the mean of AST's two. The last layer's output goes through the network's final normalisation,
    that of others does not. Clips go through in windows of 1,024 frames of 10 ms, which are filled up as the authors'
    program does.
    """

    name = "ast"

    @property
    def network_class(self) -> type[EncoderNetwork]:
        """AST's network."""
        return AstNetwork


class AstNetwork(WindowedNetwork):
    """The network of a folder of Hugging Face, or of the authors' file, whose names it has.

    Args:
        config: of Hugging Face's folder, with that of its filter banks.
    """

    architecture = "AST"
    accepted = f"AST's {FOLDER}, or a published file of AST (YuanGongND/ast)"
    left_out = ("classifier.", "mlp_head.", "head.", "head_dist.")

    def __init__(self, config: Mapping[str, Any]) -> None:
        config = {**DEFAULTS, **config}
        patch, self._strides = config["patch_size"], (config["frequency_stride"], config["time_stride"])
        window, mels = config["max_length"], config["num_mel_bins"]
        super().__init__(window, mels, patch, self._strides[1], config["mean"], config["std"])
        if config["hidden_act"] != "gelu":
            raise ValueError(f"hidden_act {config['hidden_act']} is not that of a published network")
        dim, self.depth = config["hidden_size"], config["num_hidden_layers"]
        norm: Any = partial(nn.LayerNorm, eps=config["layer_norm_eps"])
        count = (1 + (mels - patch) // self._strides[0]) * (1 + (window - patch) // self._strides[1])
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, dim, patch, self._strides)})
        self.cls_token, self.dist_token = (nn.Parameter(torch.zeros(1, 1, dim)) for _ in range(2))
        self.pos_embed = nn.Parameter(torch.zeros(1, 2 + count, dim))
        self.blocks = nn.Sequential(
            *(
                Block(
                    dim, config["num_attention_heads"], config["intermediate_size"] / dim,
                    qkv_bias=config["qkv_bias"], norm_layer=norm,
                )
                for _ in range(self.depth)
            )
        )  # fmt: skip
        self.norm = norm(dim)

    @classmethod
    def adapted(cls, state: Mapping[str, Any]) -> dict[str, Any]:
        """One name for each weight; query, key and value of Hugging Face's folder are one here."""
        named = {_name(key): value for key, value in state.items()}
        for query in [key for key in named if ".attn.query." in key]:
            parts = [query.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
            if all(part in named for part in parts):
                named[query.replace(".query.", ".qkv.")] = torch.cat([named.pop(part) for part in parts])
        return named

    @classmethod
    def sizes(cls, state: Mapping[str, Any]) -> dict[str, Any]:
        """Read off the transformer, and the strides off the number of positions."""
        read = sizes_of(state)
        count = state["pos_embed"].shape[1] - 2
        strides = [n for n in range(1, 17) if (1 + 112 // n) * (1 + 1008 // n) == count]  # of 128 bands, 1024 frames
        if not strides:
            raise ValueError(f"the grid of its {count} patches cannot be derived")
        return {
            "hidden_size": read["embed_dim"], "num_hidden_layers": read["depth"],
            "num_attention_heads": read["num_heads"], "qkv_bias": read["qkv_bias"],
            "intermediate_size": len(state["blocks.0.mlp.fc1.weight"]), "frequency_stride": strides[0],
            "time_stride": strides[0],
        }  # fmt: skip

    def transformed(self, windows: Tensor, layers: Collection[int]) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Number, patches and class tokens of some layers."""
        grid = self.patch_embed["proj"](windows.mT[:, None])  # (windows, dim, bands, time)
        tokens = torch.cat([self.cls_token, self.dist_token], dim=1).expand(len(grid), -1, -1)
        x = torch.cat([tokens, grid.flatten(2).mT], dim=1) + self.pos_embed
        for number, values in after_layers(self.blocks, self.norm, x, layers):
            yield number, values[:, 2:].unflatten(1, grid.shape[2:]).transpose(1, 2), values[:, :2].mean(dim=1)


def _name(key: str) -> str:
    for old, new in NAMES:
        key = re.sub(old, new, key)
    return key
