"""Weights files of small encoders with random weights, in the form in which the authors publish them."""

import json

import torch
from safetensors.torch import save_file

from asdbench.extractors.encoders.beats import BeatsNetwork
from asdbench.extractors.encoders.ced import CedNetwork
from asdbench.extractors.encoders.dasheng import DashengNetwork

BEATS = {
    "input_patch_size": 16, "embed_dim": 8, "encoder_layers": 2, "encoder_embed_dim": 12, "encoder_ffn_embed_dim": 16,
    "encoder_attention_heads": 2, "conv_pos_groups": 2, "deep_norm": True, "relative_position_embedding": True,
    "num_buckets": 32, "max_distance": 80, "gru_rel_pos": True,
}  # fmt: skip
DASHENG = {"embed_dim": 12, "depth": 2, "num_heads": 2, "target_length": 100}
CED = {"embed_dim": 128, "depth": 2, "num_heads": 2}  # 64 values a head, as published: the file names no number


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


def write_ced(path, **changed):
    """A file of a small CED, weights alone; returns its path and content."""
    state = _drawn(CedNetwork(CED | changed))
    generator = torch.Generator().manual_seed(1)
    state["init_bn.1.running_mean"] = -20 + torch.randn(64, generator=generator)
    state["init_bn.1.running_var"] = 100 + torch.rand(64, generator=generator)
    return _saved(path, state | {"outputlayer.1.weight": torch.ones(3, 128)})


def write_ced_folder(path, **changed):
    """A folder of the same as Hugging Face has it; returns its path and weights."""
    _, content = write_ced(path.with_suffix(".pt"), **changed)
    names = {key: "encoder." + key.replace("init_bn.1.", "init_bn.") for key in content if "front_end" not in key}
    names["outputlayer.1.weight"] = "outputlayer.1.weight"
    state = {name: content[key] for key, name in names.items()}
    return write_folder(path, CED | changed | {"model_type": "ced", "patch_size": 16}, state)


def write_folder(path, config, state):
    """A folder as Hugging Face has them; returns its path and weights."""
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(config))
    save_file({key: value.contiguous() for key, value in state.items()}, path / "model.safetensors")
    return str(path), state


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


WRITERS = {"beats": write_beats, "dasheng": write_dasheng, "ced": write_ced}
