import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

import asdbench
from asdbench.core.errors import RequirementError, UsageError
from asdbench.extractors.pretrained.timm_backbone import _channels_first


@pytest.fixture
def weights(tmp_path):
    """Random weights of a small backbone for colour images, with its classifier, as the hub has them."""

    def write(backbone: str, ending: str = "safetensors"):
        torch.manual_seed(1)
        network = timm.create_model(backbone, pretrained=False).eval()
        path = tmp_path / f"{backbone}.{ending}"
        state = network.state_dict()
        save_file(state, path) if ending == "safetensors" else torch.save(state, path)
        return path, network

    return write


def standardised(context, clips, trained_on):
    """Three equal channels of mean 0 and deviation 1 over the training clips."""
    training = np.concatenate([np.asarray(context.features[clip.key], np.float64).ravel() for clip in trained_on])
    for clip in clips:
        image = (np.asarray(context.features[clip.key], np.float64) - training.mean()) / training.std()
        yield torch.from_numpy(image).float().expand(3, -1, -1)[None]


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_the_embedding_is_what_the_network_says_of_three_equal_channels(weights, ending, table, make_context):
    path, network = weights("test_resnet", ending)
    context, clips, training = make_context(), table.blind_view()[:3], table.training_view()
    extractor = asdbench.build("pretrained-timm", backbone="test_resnet", weights=str(path))
    extractor.fit(training, context)
    rows = extractor.embed(clips, context)
    with torch.no_grad():
        expected = [
            network.forward_head(network.forward_features(image), pre_logits=True)[0].numpy()
            for image in standardised(context, clips, training)
        ]
    assert np.allclose(rows, expected, rtol=1e-3, atol=1e-4)
    assert np.std(rows, axis=0).max() > 1e-3  # clips differ


def test_inner_layers_and_poolings(weights, table, make_context):
    path, network = weights("test_resnet")
    maps = timm.create_model("test_resnet", pretrained=False, features_only=True).eval()
    maps.load_state_dict({key: value for key, value in network.state_dict().items() if not key.startswith("fc")})
    context, clips, training = make_context(), table.blind_view()[:2], table.training_view()
    extractor = asdbench.build(
        "pretrained-timm", backbone="test_resnet", weights=str(path), layer=2, poolings=["mean", "max", "std"]
    )
    extractor.fit(training, context)
    with torch.no_grad():
        found = [maps(image)[2][0].flatten(1).numpy() for image in standardised(context, clips, training)]
    expected = [np.concatenate([one.mean(1), one.max(1), one.std(1)]) for one in found]
    assert np.allclose(extractor.embed(clips, context), expected, rtol=1e-3, atol=1e-4)


def test_tokens_of_a_transformer_without_the_class_token(weights, table, make_context):
    path, network = weights("test_vit")
    context, clips = make_context(), table.blind_view()[:2]
    extractor = asdbench.build("pretrained-timm", backbone="test_vit", weights=str(path), image=160, standardise="clip")
    extractor.fit(table.training_view(), context)
    expected = []
    for clip in clips:
        values = np.asarray(context.features[clip.key], np.float64)
        image = torch.from_numpy((values - values.mean()) / values.std()).float()[None]
        image = torch.nn.functional.interpolate(image, (160, 160), mode="bilinear", antialias=True)
        with torch.no_grad():
            tokens = network.forward_features(image.expand(-1, 3, -1, -1))[0]
        expected.append(tokens[network.num_prefix_tokens :].mean(0).numpy())
    assert np.allclose(extractor.embed(clips, context), expected, rtol=1e-3, atol=1e-3)


def test_what_is_saved_gives_the_same_whichever_clips_come_along(weights, table, make_context, tmp_path):
    path, network = weights("test_nfnet")
    settings = {"backbone": "test_nfnet", "weights": str(path)}
    context, clips = make_context(), table.blind_view()[:2]
    extractor = asdbench.build("pretrained-timm", **settings)
    extractor.fit(table.training_view(), context)
    rows = extractor.embed(clips, context)
    assert rows.shape == (2, network.num_features)
    extractor.save(tmp_path)
    mean, std = json.loads((tmp_path / "level.json").read_text())
    assert (mean, std) != (0.0, 1.0)
    again = asdbench.build("pretrained-timm", **settings)
    again.load(tmp_path)
    assert np.array_equal(again.embed(clips, context), rows)
    assert np.array_equal(again.embed(clips[1:], context), rows[1:])  # other clips change nothing


def test_maps_with_channels_last_are_turned():
    found = torch.arange(60.0).reshape(1, 3, 4, 5)
    turned = _channels_first(SimpleNamespace(num_features=5), found)
    assert turned.shape == (1, 5, 3, 4)
    assert torch.equal(turned[0, 2], found[0, :, :, 2])


def test_what_does_not_fit_is_refused(weights, table, make_context, tmp_path):
    context, training = make_context(), table.training_view()

    def fit(**settings):
        asdbench.build("pretrained-timm", **settings).fit(training, context)

    with pytest.raises(UsageError, match=r"no model 'resnet19'\. Did you mean 'resnet18"):
        fit(backbone="resnet19")
    path, _ = weights("test_vit")
    with pytest.raises(UsageError, match="does not hold the weights of timm's 'test_resnet'"):
        fit(backbone="test_resnet", weights=str(path))
    with pytest.raises(UsageError, match=r"cannot make 'test_resnet\.nosuch' .*Leave its tag out"):
        fit(backbone="test_resnet.nosuch", weights=str(path))
    (tmp_path / "code.pth").write_bytes(pickle.dumps(print, protocol=2))
    with pytest.raises(UsageError, match=r"code\.pth does not hold"):
        fit(backbone="test_resnet", weights=str(tmp_path / "code.pth"))
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(UsageError, match=r"text\.safetensors does not hold"):
        fit(backbone="test_resnet", weights=str(tmp_path / "text.safetensors"))


@pytest.mark.parametrize("settings", [{"layer": 99}, {"backbone": "test_vit", "image": 33}])
def test_layers_and_sizes_that_are_not_there(weights, settings, table, make_context):
    backbone = settings.get("backbone", "test_resnet")
    path, _ = weights(backbone)
    extractor = asdbench.build("pretrained-timm", **{"backbone": backbone, "weights": str(path), **settings})
    extractor.fit(table.training_view(), make_context())
    with pytest.raises(UsageError, match="refuses layer"):
        extractor.embed(table.blind_view()[:1], make_context(training=False))


def test_without_a_network_the_way_out_is_told(monkeypatch, table, make_context, tmp_path):
    def offline(backbone, **settings):
        assert settings["pretrained"] is (backbone == "resnet18")
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    (tmp_path / "some.pth").touch()
    with pytest.raises(RequirementError, match=r"hub alone.*no route to host.*\n.*pretrained-timm.backbone=resnet18"):
        asdbench.build("pretrained-timm", backbone="hf-hub:a/b", weights=str(tmp_path / "some.pth")).fit(
            table.training_view(), make_context()
        )
    with pytest.raises(RequirementError, match=r"no route to host.*\n.*pretrained-timm.weights=FILE"):
        asdbench.build("pretrained-timm").fit(table.training_view(), make_context())
