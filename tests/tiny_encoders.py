"""Weights files of small encoders with random weights, in the form in which the authors publish them."""

import torch

from asdbench.extractors.encoders.beats import BeatsNetwork
from asdbench.extractors.encoders.dasheng import DashengNetwork

BEATS = {
    "input_patch_size": 16, "embed_dim": 8, "encoder_layers": 2, "encoder_embed_dim": 12, "encoder_ffn_embed_dim": 16,
    "encoder_attention_heads": 2, "conv_pos_groups": 2, "deep_norm": True, "relative_position_embedding": True,
    "num_buckets": 32, "max_distance": 80, "gru_rel_pos": True,
}  # fmt: skip
DASHENG = {"embed_dim": 12, "depth": 2, "num_heads": 2, "target_length": 100}


def write_beats(path, **changed):
    """A file of a small BEATs; returns its path and content."""
    cfg = BEATS | changed
    state = _drawn(BeatsNetwork(cfg))
    weight = state.pop("encoder.pos_conv.0.weight")
    state["encoder.pos_conv.0.weight_g"] = 2 * weight.norm(dim=(0, 1), keepdim=True)
    state["encoder.pos_conv.0.weight_v"] = weight
    return _saved(path, {"cfg": cfg, "model": state})


def write_dasheng(path, **changed):
    """A file of a small Dasheng; returns its path and content."""
    config = DASHENG | changed
    return _saved(path, {"config": config, "model": _drawn(DashengNetwork(config))})


def _drawn(network):
    generator = torch.Generator().manual_seed(0)
    state = network.state_dict()
    for key, value in state.items():
        if value.is_floating_point() and not key.startswith(("front_end.", "init_bn.")):
            state[key] = value + 0.1 * torch.randn(value.shape, generator=generator)
    return state


def _saved(path, content):
    torch.save(content, path)
    return str(path), content
