"""Weights files that are no encoder's, or damaged, are refused with what they are."""

import json
import pickle

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from tiny_encoders import WRITERS, write_ast, write_beats, write_ced, write_ced_folder, write_eat

from asdbench.core.errors import UsageError
from asdbench.extractors.encoders.aisfx import AisfxNetwork
from asdbench.extractors.encoders.ast import AstNetwork
from asdbench.extractors.encoders.beats import BeatsNetwork
from asdbench.extractors.encoders.ced import CedNetwork
from asdbench.extractors.encoders.dasheng import DashengNetwork
from asdbench.extractors.encoders.eat import EatNetwork
from asdbench.extractors.encoders.weights import load_network

KINDS = {
    "beats": BeatsNetwork,
    "dasheng": DashengNetwork,
    "ced": CedNetwork,
    "eat": EatNetwork,
    "ast": AstNetwork,
    "aisfx": AisfxNetwork,
}


class Code:
    def __reduce__(self):
        return print, ("this ran",)


def refused(path, kind=BeatsNetwork):
    with pytest.raises(UsageError) as caught:
        load_network("encoder", str(path), kind)
    assert len(str(caught.value).splitlines()) == 2
    return str(caught.value)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_another_architecture_is_told(name, tmp_path):
    path, _ = WRITERS[name](tmp_path / "weights.pt")
    for kind in KINDS.values():
        if kind is KINDS[name]:
            load_network("encoder", path, kind)
        else:
            assert f"looks like {KINDS[name].architecture}.\nAccepted: " in refused(path, kind)


def test_networks_that_are_no_encoders_are_told(tmp_path):
    for model, words in (("test_vit", "a vision transformer"), ("test_resnet", "a ResNet")):
        torch.save(timm.create_model(model).state_dict(), tmp_path / "other.pt")
        assert f"looks like {words}" in refused(tmp_path / "other.pt")
    torch.save({"a": torch.ones(1)}, tmp_path / "other.pt")
    assert "looks like no network known here" in refused(tmp_path / "other.pt")


def test_damaged_files_and_files_with_code_are_refused(tmp_path, capsys):
    path, content = write_beats(tmp_path / "beats.pt")
    whole = (tmp_path / "beats.pt").read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 10):
        (tmp_path / "cut.pt").write_bytes(whole[:length])
        assert "is cut off, or no file of torch.save" in refused(tmp_path / "cut.pt")
    torch.save(content | {"more": Code()}, path)
    assert "holds code" in refused(path)
    (tmp_path / "code.pt").write_bytes(pickle.dumps(Code(), protocol=2))
    assert "holds code" in refused(tmp_path / "code.pt")
    assert "this ran" not in capsys.readouterr().out


def test_keys_that_do_not_fit_are_named(tmp_path):
    path, content = write_beats(tmp_path / "beats.pt")
    model, key = content["model"], "encoder.layers.1.fc1.weight"
    for changed, words in (
        ({name: value for name, value in model.items() if name != key}, f"lacks {key}."),
        (model | {"own.weight": torch.ones(1)}, "has more than its configuration says: own.weight."),
        (model | {key: torch.ones(3, 3)}, f"has odd shapes: {key}."),
    ):
        torch.save({"cfg": content["cfg"], "model": changed}, path)
        assert words in refused(path)
    torch.save({"model": model}, path)
    assert "no configuration 'cfg'" in refused(path)
    torch.save({"cfg": {}, "model": model}, path)
    assert "a configuration that makes no network (input_patch_size)" in refused(path).replace("'", "")
    torch.save({"cfg": content["cfg"], "model": model | {"predictor.weight": torch.ones(3, 12)}}, path)
    load_network("encoder", path, BeatsNetwork)  # a fine-tuned file


def test_weights_that_come_without_a_configuration_have_to_show_it(tmp_path):
    path, state = write_ced(tmp_path / "ced.pt")
    key = "blocks.0.mlp.fc1.weight"
    torch.save({name: value for name, value in state.items() if name != key}, path)
    assert f"lacks {key}." in refused(path, CedNetwork)
    path, _ = write_ced(tmp_path / "ced.pt", embed_dim=24)
    assert "has no configuration beside its weights, and the heads of a width of 24 cannot" in refused(path, CedNetwork)


def test_what_a_folder_lacks_is_named(tmp_path):
    path, state = write_ced_folder(tmp_path / "ced")
    config, tensors = tmp_path / "ced" / "config.json", tmp_path / "ced" / "model.safetensors"
    whole = tensors.read_bytes()
    for length in (0, 100, len(whole) - 10):
        tensors.write_bytes(whole[:length])
        assert "is cut off, or no file of safetensors" in refused(path, CedNetwork)
    tensors.unlink()
    assert "has no model.safetensors or pytorch_model.bin" in refused(path, CedNetwork)
    torch.save({"model": state, "more": Code()}, tmp_path / "ced" / "pytorch_model.bin")
    assert "holds code" in refused(path, CedNetwork)
    tensors.write_bytes(whole)
    for text in ("{", "[1]"):
        config.write_text(text)
        assert "has no config.json that can be read" in refused(path, CedNetwork)
    config.unlink()
    assert "has no config.json." in refused(path, CedNetwork)


def test_a_file_of_eat_with_code_beside_its_weights_points_to_the_folder(tmp_path):
    torch.save({"cfg": Code(), "model": {}}, tmp_path / "eat.pt")
    words = refused(tmp_path / "eat.pt", EatNetwork)
    assert "holds code" in words
    assert "Accepted: EAT's folder as Hugging Face has it (config.json, model.safetensors)" in words


def test_folders_that_lack_weights_or_say_what_no_published_network_is(tmp_path):
    for write, kind, config, key in (
        (write_eat, EatNetwork, {"layer_norm_first": True}, "model.blocks.1.norm2.bias"),
        (write_ast, AstNetwork, {"hidden_act": "relu"}, "audio_spectrogram_transformer.layernorm.bias"),
    ):
        path, _ = write(tmp_path / kind.architecture)
        folder = tmp_path / kind.architecture
        state = load_file(folder / "model.safetensors")
        save_file({name: value for name, value in state.items() if name != key}, folder / "model.safetensors")
        assert "lacks " in refused(path, kind)
        (folder / "config.json").write_text(json.dumps(json.loads((folder / "config.json").read_text()) | config))
        assert "a configuration that makes no network" in refused(path, kind)
    path, state = write_ast(tmp_path / "ast")  # of 112 frames, which no file of the authors has
    torch.save(state, tmp_path / "ast.pth")
    assert "the grid of its 120 patches cannot be derived" in refused(tmp_path / "ast.pth", AstNetwork)
