"""BEATs: audio pre-training with acoustic tokenizers (Chen et al., 2023)."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.compliance import kaldi

from asdbench.extractors.encoders.encoder import Encoder
from asdbench.extractors.encoders.network import EncoderNetwork, Layer

MEAN, DEVIATION = 15.41663, 6.55582  # of the filter banks, over the training data of the authors
MELS = 128
FRAME, HOP = 400, 160  # samples of the filter banks' windows
WINDOW = 6000  # frames, one minute: longer clips go through in windows, as attention costs the square of the length
DEFAULTS = {"embed_dim": 512, "conv_bias": False, "encoder_layers": 12, "encoder_embed_dim": 768, "conv_pos": 128,
            "encoder_ffn_embed_dim": 3072, "encoder_attention_heads": 12, "activation_fn": "gelu", "num_buckets": 320,
            "layer_norm_first": False, "deep_norm": False, "conv_pos_groups": 16, "max_distance": 1280,
            "relative_position_embedding": False, "gru_rel_pos": False}  # fmt: skip


class Beats(Encoder):
    """Patches of 160 ms by 16 of 128 mel bands, 8 bands, from a transformer with relative positions.

    A fine-tuned file gives embeddings of the same kind; its predictor is left out. Clips of up to a minute go through
    whole, longer ones in windows of a minute.
    """

    name = "beats"

    @property
    def network_class(self) -> type[EncoderNetwork]:
        """BEATs' network."""
        return BeatsNetwork


class BeatsNetwork(EncoderNetwork):
    """The network of a file {"cfg": ..., "model": ...} as microsoft/unilm publishes it.

    Args:
        cfg: the file's configuration.
    """

    architecture = "BEATs"
    accepted = "a published file of BEATs, with 'cfg' and 'model' in it"
    config_key = "cfg"
    left_out = ("predictor.",)
    layers_at = "encoder.layers"

    def __init__(self, cfg: Mapping[str, Any]) -> None:
        super().__init__()
        cfg = {**DEFAULTS, **cfg}
        patch, dim, self.depth = cfg["input_patch_size"], cfg["encoder_embed_dim"], cfg["encoder_layers"]
        self.min_samples = FRAME + HOP * (patch - 1)
        self._patch = patch
        self.patch_embedding = nn.Conv2d(1, cfg["embed_dim"], patch, patch, bias=cfg["conv_bias"])
        self.layer_norm = nn.LayerNorm(cfg["embed_dim"])
        self.post_extract_proj = nn.Linear(cfg["embed_dim"], dim) if cfg["embed_dim"] != dim else nn.Identity()
        self.encoder = _Transformer(cfg)

    @classmethod
    def adapted(cls, state: Mapping[str, Any]) -> dict[str, Any]:
        """Weight normalisation of the position convolution, g v / |v|, is computed once."""
        state, name = dict(state), "encoder.pos_conv.0.weight"
        if f"{name}_g" in state and f"{name}_v" in state:
            g, v = state.pop(f"{name}_g"), state.pop(f"{name}_v")
            state[name] = g * v / v.norm(dim=(0, 1), keepdim=True)
        return state

    def filter_banks(self, waveforms: Tensor) -> Tensor:
        """Normalised Kaldi filter banks (clips, frames, 128): 25 ms every 10 ms."""
        banks = [
            kaldi.fbank(one[None] * 2**15, num_mel_bins=MELS, sample_frequency=16000, frame_length=25, frame_shift=10)
            for one in waveforms
        ]
        return (torch.stack(banks) - MEAN) / (2 * DEVIATION)

    def forward(self, banks: Tensor, layers: Collection[int]) -> dict[int, Layer]:
        """Patches (clips, time, 8, dim) after some layers."""
        windows = [one for one in banks.split(WINDOW, dim=1) if one.shape[1] >= self._patch]
        outputs = [self._one(window, layers) for window in windows]
        return {layer: Layer(torch.cat([one[layer] for one in outputs], dim=1)) for layer in outputs[0]}

    def _one(self, banks: Tensor, layers: Collection[int]) -> dict[int, Tensor]:
        grid = self.patch_embedding(banks[:, None])  # (clips, dim, time, bands)
        patches = self.post_extract_proj(self.layer_norm(grid.flatten(2).mT))
        outputs = self.encoder(patches, layers)
        return {layer: values.unflatten(1, grid.shape[2:]) for layer, values in outputs.items()}


class _Transformer(nn.Module):
    """Convolutional positions, then layers that share one bias of relative positions."""

    def __init__(self, cfg: Mapping[str, Any]) -> None:
        super().__init__()
        dim, kernel = cfg["encoder_embed_dim"], cfg["conv_pos"]
        convolution = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=cfg["conv_pos_groups"])
        self.pos_conv = nn.Sequential(convolution, nn.GELU())
        self.layer_norm = nn.LayerNorm(dim)
        table = nn.Embedding(cfg["num_buckets"], cfg["encoder_attention_heads"])  # one for all layers
        self.layers = nn.ModuleList(_TransformerLayer(cfg, table) for _ in range(cfg["encoder_layers"]))
        self._first = cfg["layer_norm_first"]
        self._relative = cfg["relative_position_embedding"]
        self._buckets, self._farthest = cfg["num_buckets"], cfg["max_distance"]

    def forward(self, x: Tensor, layers: Collection[int]) -> dict[int, Tensor]:
        """Outputs (clips, positions, dim) of some layers, from (clips, positions, dim)."""
        x = x + self.pos_conv(x.mT)[..., : x.shape[1]].mT  # an even kernel gives one position more
        if not self._first:
            x = self.layer_norm(x)
        bias = self._bias(x.shape[1]) if self._relative else None
        outputs = {}
        for number, layer in enumerate(self.layers[: max(layers)], 1):
            x = layer(x, bias)
            if number in layers:
                last = self._first and number == len(self.layers)
                outputs[number] = self.layer_norm(x) if last else x
        return outputs

    def _bias(self, count: int) -> Tensor:
        """(heads, count, count) by distance: exact for near positions, by its logarithm for far ones (T5)."""
        table: Any = self.layers[0].self_attn.relative_attention_bias  # type: ignore[union-attr]
        places = torch.arange(count, device=table.weight.device)
        offset = places[None] - places[:, None]
        half = self._buckets // 2
        exact = half // 2
        distance = offset.abs()
        share = torch.log(distance.float() / exact) / math.log(self._farthest / exact)
        far = (exact + (share * (half - exact)).clamp_min(0).long()).clamp_max(half - 1)
        buckets = (offset > 0) * half + torch.where(distance < exact, distance, far)
        bias: Tensor = table(buckets).permute(2, 0, 1)
        return bias


class _TransformerLayer(nn.Module):
    """Attention and two linear layers; with deep norm the residuals are scaled (Wang et al., 2022)."""

    def __init__(self, cfg: Mapping[str, Any], table: nn.Embedding) -> None:
        super().__init__()
        dim, wide = cfg["encoder_embed_dim"], cfg["encoder_ffn_embed_dim"]
        self.self_attn = _Attention(cfg, table)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1, self.fc2 = nn.Linear(dim, wide), nn.Linear(wide, dim)
        self.final_layer_norm = nn.LayerNorm(dim)
        self._first = cfg["layer_norm_first"]
        self._activation: Any = {"gelu": functional.gelu, "relu": functional.relu}[cfg["activation_fn"]]
        self._scale = (2 * cfg["encoder_layers"]) ** 0.25 if cfg["deep_norm"] else 1.0

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        if self._first:
            x = x + self.self_attn(self.self_attn_layer_norm(x), bias)
            return x + self._wide(self.final_layer_norm(x))
        x = self.self_attn_layer_norm(self._scale * x + self.self_attn(x, bias))
        return self.final_layer_norm(self._scale * x + self._wide(x))  # type: ignore[no-any-return]

    def _wide(self, x: Tensor) -> Tensor:
        return self.fc2(self._activation(self.fc1(x)))  # type: ignore[no-any-return]


class _Attention(nn.Module):
    """Attention whose bias of relative positions each query gates (WavLM)."""

    def __init__(self, cfg: Mapping[str, Any], table: nn.Embedding) -> None:
        super().__init__()
        dim, self._heads = cfg["encoder_embed_dim"], cfg["encoder_attention_heads"]
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(dim, dim) for _ in range(4))
        if cfg["relative_position_embedding"]:
            self.relative_attention_bias = table
        self._gated = cfg["gru_rel_pos"]
        if self._gated:
            self.grep_linear = nn.Linear(dim // self._heads, 8)
            self.grep_a = nn.Parameter(torch.ones(1, self._heads, 1, 1))

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        query, key, value = (
            project(x).unflatten(-1, (self._heads, -1)).transpose(1, 2)  # (clips, heads, positions, dim of a head)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if bias is not None and self._gated:
            gates = torch.sigmoid(self.grep_linear(query).unflatten(-1, (2, 4)).sum(-1))
            update, reset = gates.chunk(2, dim=-1)
            bias = (update * (reset * self.grep_a - 1) + 2) * bias
        elif bias is not None:
            bias = bias[None]
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.out_proj(seen.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]
