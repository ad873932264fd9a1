"""Encoders of patches of a spectrogram against their definitions, written out with PyTorch's own layers."""

import numpy as np
import pytest
import torch
from tiny_encoders import AST, write_ast, write_ced, write_ced_folder, write_eat
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


def kaldi_by_hand(wave, frames):
    """Kaldi's filter banks (frames, 128) by their definition, filled up with zeros."""
    cut = np.lib.stride_tricks.sliding_window_view(wave.astype(np.float64), 400)[::160][:frames]
    cut = cut - cut.mean(axis=1, keepdims=True)
    cut = cut - 0.97 * np.hstack([cut[:, :1], cut[:, :-1]])
    power = np.abs(np.fft.rfft(cut * np.hanning(400), 512)) ** 2
    mel = 1127 * np.log(1 + np.arange(257) * RATE / 512 / 700)
    edges = np.linspace(1127 * np.log(1 + 20 / 700), mel[-1], 130)[:, None]
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling))
    banks = np.log(np.maximum(power[:, :256] @ filters[:, :256].T, np.finfo(np.float32).eps))
    return np.pad(banks, ((0, frames - len(banks)), (0, 0)))


def eat_by_hand(wave, state, frames=112):
    """Class token and patches of each layer of a clip in one window."""
    state = {key.removeprefix("model."): value for key, value in state.items()}
    banks = torch.from_numpy((kaldi_by_hand(wave - wave.mean(), frames) + 4.268) / (2 * 4.569)).float()
    x = grid_of(banks, state, "local_encoder.proj", 16, 16).flatten(2).mT
    x = x + state["fixed_positional_encoder.positions"][:, : x.shape[1]]
    x = torch.cat([state["extra_tokens"], x], dim=1)
    x = functional.layer_norm(x, (128,), state["pre_norm.weight"], state["pre_norm.bias"], 1e-6)
    return [one[0] for one in transformer(x, state, 2, norm_first=False, eps=1e-6)]


def ast_by_hand(wave, state, frames=112):
    """Both tokens, and patches (time * bands) behind them, of each layer of a clip in one window."""
    state = {key.removeprefix("module.v."): value for key, value in state.items()}
    banks = torch.from_numpy((kaldi_by_hand(wave, frames) + 4.2677393) / (2 * 4.5689974)).float()
    grid = grid_of(banks.T, state, "patch_embed.proj", 16, 10)
    x = torch.cat([state["cls_token"], state["dist_token"], grid.flatten(2).mT], dim=1) + state["pos_embed"]
    outputs = transformer(x, state, 2, norm_first=True, eps=1e-12)
    outputs[-1] = functional.layer_norm(outputs[-1], (128,), state["norm.weight"], state["norm.bias"], 1e-12)
    in_time = [one[0, 2:].unflatten(0, grid.shape[2:]).transpose(0, 1).flatten(0, 1) for one in outputs]
    return [torch.cat([one[0, :2], patches]) for one, patches in zip(outputs, in_time, strict=True)]


def test_eat_is_what_its_authors_define(tmp_path):
    path, state = write_eat(tmp_path / "eat")
    agree("eat", path, lambda wave: [one[1:] for one in eat_by_hand(wave, state)], 128)
    token, _ = asd.extractor("eat", weights=path, pooling="cls").embed_audio(WAVES, sample_rate_hz=RATE)
    np.testing.assert_allclose(token, eat_by_hand(WAVES[0], state)[-1][0].detach(), rtol=0, atol=1e-4)


def test_ast_is_what_its_authors_define(tmp_path):
    path, state = write_ast(tmp_path / "ast")
    agree("ast", path, lambda wave: [one[2:] for one in ast_by_hand(wave, state)], 128)
    token, _ = asd.extractor("ast", weights=path, pooling="cls").embed_audio(WAVES, sample_rate_hz=RATE)
    np.testing.assert_allclose(token, ast_by_hand(WAVES[0], state)[-1][:2].mean(0).detach(), rtol=0, atol=1e-4)


def test_ast_is_that_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    model = transformers.ASTForAudioClassification(transformers.ASTConfig(**AST, num_labels=3)).eval()
    for weight in model.parameters():
        weight.data += 0.1 * torch.randn(weight.shape)
    banks = transformers.ASTFeatureExtractor(max_length=112, mean=-5, std=3)  # as in a folder of another data set
    for part in (model, banks):
        part.save_pretrained(tmp_path)
    waves = [wave.astype(np.float32) for wave in WAVES]
    expected = model.audio_spectrogram_transformer(**banks(waves, sampling_rate=RATE, return_tensors="pt"))
    token = asd.extractor("ast", weights=str(tmp_path), pooling="cls").embed_audio(waves, sample_rate_hz=RATE)
    np.testing.assert_allclose(token, expected.pooler_output.detach(), rtol=0, atol=1e-4)


def test_files_of_tensors_alone_give_what_folders_give(tmp_path):
    _, state = write_eat(tmp_path / "eat", img_size=[1024, 128], max_length=64)
    names = {key: key.removeprefix("model.") for key in state}
    for key in ("local_encoder", "fixed_positional_encoder", "extra_tokens", "pre_norm"):
        of_authors = f"modality_encoders.IMAGE.{key}".replace("pre_norm", "context_encoder.norm")
        names |= {one: one.replace(f"model.{key}", of_authors) for one in names if one.startswith(f"model.{key}")}
    torch.save({"model": {names[key]: value for key, value in state.items()}}, tmp_path / "eat.pt")
    _, state = write_ast(tmp_path / "ast", max_length=1024)
    torch.save(state, tmp_path / "ast.pth")
    for name, of_authors in (("eat", "eat.pt"), ("ast", "ast.pth")):
        params = {"pooling": "mean", "layer": [1, 2]}
        file, folder, tensors = (
            asd.extractor(name, weights=str(tmp_path / path), **params).embed_audio(WAVES[:1], sample_rate_hz=RATE)
            for path in (of_authors, name, f"{name}/model.safetensors")
        )
        np.testing.assert_array_equal(tensors, folder)
        np.testing.assert_array_equal(file, folder)


@pytest.mark.parametrize(
    ("name", "frames", "times"),
    [("eat", 16, 7), ("eat", 112 + 15, 7), ("eat", 112 + 50, 7 + 3), ("ast", 16, 10), ("ast", 224 + 26, 10 + 10 + 2)],
)
def test_long_clips_go_through_windows_of_filter_banks(name, frames, times, tmp_path):
    write, bands = {"eat": (write_eat, 8), "ast": (write_ast, 12)}[name]
    wave = np.resize(WAVES[1], 400 + 160 * (frames - 1))
    (found,) = patches_of(name, [wave], weights=write(tmp_path / name)[0])
    assert found.shape == (bands * times, 128)


def test_class_tokens_of_windows_are_averaged(tmp_path):
    path, state = write_eat(tmp_path / "eat")
    wave = np.resize(WAVES[1], 400 + 160 * (112 + 50 - 1))
    expected = (eat_by_hand(wave[: 160 * 112 + 240], state)[-1][0] + eat_by_hand(wave[160 * 112 :], state)[-1][0]) / 2
    found = asd.extractor("eat", weights=path, pooling="cls").embed_audio([wave], sample_rate_hz=RATE)[0]
    np.testing.assert_allclose(found, expected.detach(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("frames", "patches"), [(16, 1), (1012, 63), (1012 + 40, 63 + 2)])
def test_long_clips_go_through_ced_in_windows(frames, patches, tmp_path):
    path, _ = write_ced(tmp_path / "ced.pt", depth=1)
    (found,) = patches_of("ced", [np.resize(WAVES[0], 160 * (frames - 1))], weights=path)
    assert found.shape == (4 * patches, 128)
