"""Encoders of patches of a spectrogram against their definitions, written out with PyTorch's own layers."""

import numpy as np
import pytest
import torch
from tiny_encoders import write_ced, write_ced_folder
from torch import nn
from torch.nn import functional
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

import asdbench as asd

RATE = 16000
WAVES = [0.1 * np.random.default_rng(0).standard_normal(n) for n in (9000, 16000)]


def patches_of(name, waves=WAVES, **params):
    return asd.extractor(name, pooling="none", **params).embed_audio(waves, sample_rate_hz=RATE)


def transformer(x, state, heads, norm_first, eps):
    """Outputs of each layer of a transformer with timm's names of weights, by torch's layer."""
    outputs = []
    while (block := f"blocks.{len(outputs)}.") + "norm1.weight" in state:
        hidden, dim = state[block + "mlp.fc1.weight"].shape
        layer = nn.TransformerEncoderLayer(
            dim, heads, hidden, 0.0, "gelu", layer_norm_eps=eps, batch_first=True, norm_first=norm_first
        )
        names = {"attn.qkv.": "self_attn.in_proj_", "attn.proj": "self_attn.out_proj", "mlp.fc": "linear"}
        own = {key.removeprefix(block): value for key, value in state.items() if key.startswith(block)}
        for old, new in names.items():
            own = {key.replace(old, new): value for key, value in own.items()}
        layer.load_state_dict(own)
        x = layer.eval()(x)
        outputs.append(x)
    return outputs


def grid_of(spectrogram, state, key, size, stride):
    """Patches (1, dim, rows, columns) by unfolding and one matrix."""
    weight, bias = state[f"{key}.weight"], state[f"{key}.bias"]
    columns = functional.unfold(spectrogram[None, None], size, stride=stride)
    rows = (spectrogram.shape[0] - size) // stride + 1
    return (weight.flatten(1) @ columns + bias[:, None]).unflatten(-1, (rows, -1))


def ced_by_hand(wave, state):
    """(time * bands, dim) of each layer of a clip in one window."""
    banks = MelSpectrogram(RATE, 512, 512, 160, 0, 8000, n_mels=64)(torch.from_numpy(wave).float())
    banks = AmplitudeToDB(top_db=120)(banks)
    mean, variance = state["init_bn.1.running_mean"][:, None], state["init_bn.1.running_var"][:, None]
    banks = (banks - mean) / torch.sqrt(variance + 1e-5)
    banks = banks * state["init_bn.1.weight"][:, None] + state["init_bn.1.bias"][:, None]
    grid = grid_of(banks, state, "patch_embed.proj", 16, 16)
    grid = grid + state["time_pos_embed"][..., : grid.shape[-1]] + state["freq_pos_embed"]
    outputs = transformer(grid.flatten(2).mT, state, 2, norm_first=True, eps=1e-6)
    outputs[-1] = functional.layer_norm(outputs[-1], (128,), state["norm.weight"], state["norm.bias"], 1e-6)
    return [one[0].unflatten(0, grid.shape[2:]).transpose(0, 1).flatten(0, 1) for one in outputs]


def agree(name, weights, by_hand, dim):
    for layer in (1, 2):
        for found, wave in zip(patches_of(name, weights=weights, layer=layer), WAVES, strict=True):
            expected = by_hand(wave)[layer - 1].detach()
            assert found.shape == expected.shape == (len(expected), dim)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_ced_is_what_its_authors_define(tmp_path):
    path, state = write_ced(tmp_path / "ced.pt")
    agree("ced", path, lambda wave: ced_by_hand(wave, state), 128)


def test_a_folder_of_ced_gives_what_its_file_gives(tmp_path):
    folder, state = write_ced_folder(tmp_path / "ced")
    expected = patches_of("ced", weights=str(tmp_path / "ced.pt"))
    np.testing.assert_array_equal(patches_of("ced", weights=folder)[1], expected[1])
    (tmp_path / "ced" / "model.safetensors").unlink()
    torch.save(state, tmp_path / "ced" / "pytorch_model.bin")
    np.testing.assert_array_equal(patches_of("ced", weights=folder)[0], expected[0])


@pytest.mark.parametrize(("frames", "patches"), [(16, 1), (1012, 63), (1012 + 40, 63 + 2)])
def test_long_clips_go_through_ced_in_windows(frames, patches, tmp_path):
    path, _ = write_ced(tmp_path / "ced.pt", depth=1)
    (found,) = patches_of("ced", [np.resize(WAVES[0], 160 * (frames - 1))], weights=path)
    assert found.shape == (4 * patches, 128)
