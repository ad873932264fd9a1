"""Weights files of small encoders with random weights, in the form in which the authors publish them."""

import json
import re

import numpy as np
import torch
from safetensors.torch import save_file

from asdbench.extractors.encoders.aisfx import AisfxNetwork
from asdbench.extractors.encoders.ast import AstNetwork
from asdbench.extractors.encoders.beats import BeatsNetwork
from asdbench.extractors.encoders.ced import CedNetwork
from asdbench.extractors.encoders.dasheng import DashengNetwork
from asdbench.extractors.encoders.eat import EatNetwork

BEATS = {
    "input_patch_size": 16, "embed_dim": 8, "encoder_layers": 2, "encoder_embed_dim": 12, "encoder_ffn_embed_dim": 16,
    "encoder_attention_heads": 2, "conv_pos_groups": 2, "deep_norm": True, "relative_position_embedding": True,
    "num_buckets": 32, "max_distance": 80, "gru_rel_pos": True,
}  # fmt: skip
DASHENG = {"embed_dim": 12, "depth": 2, "num_heads": 2, "target_length": 100}
CED = {"embed_dim": 128, "depth": 2, "num_heads": 2}  # 64 values a head, as published: the file names no number
EAT = {"embed_dim": 128, "depth": 2, "num_heads": 2, "mlp_ratio": 2.0, "img_size": [112, 128], "max_length": 8}
AST = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 256,
    "max_length": 112,
}
OF_AST = {  # our names of AST's weights, the authors', and Hugging Face's
    "patch_embed.proj.": "embeddings.patch_embeddings.projection.",
    "pos_embed": "embeddings.position_embeddings",
    "dist_token": "embeddings.distillation_token",
    "cls_token": "embeddings.cls_token",
    "blocks.": "encoder.layer.",
    ".norm1.": ".layernorm_before.",
    ".norm2.": ".layernorm_after.",
    ".attn.proj.": ".attention.output.dense.",
    ".mlp.fc1.": ".intermediate.dense.",
    ".mlp.fc2.": ".output.dense.",
}


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


def write_eat(path, **changed):
    """A folder of a small EAT as Hugging Face has it; returns its path and weights."""
    state = {f"model.{key}": value for key, value in _drawn(EatNetwork(EAT | changed)).items()}
    return write_folder(path, EAT | changed, state | {"model.head.weight": torch.ones(3, 128)})


def write_ast(path, **changed):
    """A folder of a small AST as Hugging Face has it; returns its path and what the authors' file would hold."""
    state = _drawn(AstNetwork(AST | changed))
    named = {"classifier.dense.weight": torch.ones(3, 128)}
    for key, value in state.items():
        name = re.sub("^norm\\.", "layernorm.", key)
        for old, new in OF_AST.items():
            name = name.replace(old, new)
        parts = zip(("query", "key", "value"), value.chunk(3), strict=True) if ".attn.qkv." in name else [("", value)]
        for part, values in parts:
            of_part = name.replace(".attn.qkv.", f".attention.attention.{part}.")
            named[f"audio_spectrogram_transformer.{of_part}"] = values
    folder, _ = write_folder(path, AST | changed, named)
    return folder, {f"module.v.{key}": value for key, value in state.items()} | {
        "module.mlp_head.1.bias": torch.ones(3)
    }


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


def write_aisfx(path, widths=(2, 3, 4, 5)):
    """A file of a small aiSFX, weights and classes as the package has them; returns its path and content."""
    network = _drawn(AisfxNetwork({"widths": widths}))
    network = {key: 4 * value if ".conv" in key else value for key, value in network.items()}  # of some effect
    names = {
        key: re.sub(r"^blocks\.(\d)", lambda one: f"embedding_net.conv_block{int(one[1]) + 1}", key) for key in network
    }
    state = {names[key]: value for key, value in network.items()} | {"fc.0.0.weight": torch.ones(1, 5)}
    return _saved(path, (state, {"sounds": (0, np.int64(3))}))


WRITERS = {
    "beats": write_beats,
    "dasheng": write_dasheng,
    "ced": write_ced,
    "eat": write_eat,
    "ast": write_ast,
    "aisfx": write_aisfx,
}
