"""What a component's numbers depend on is part of its identity: versions of libraries, the content of weights."""

from importlib import metadata

import pytest

from asdbench.registry import load_catalog

COUNTED = {
    ("scorers", "pyod:KNN"): ["pyod", "scikit-learn"],
    ("scorers", "sklearn:svm.OneClassSVM"): ["scikit-learn"],
    ("scorers", "unit-length+sklearn:svm.OneClassSVM"): ["scikit-learn"],
    ("extractors", "pretrained-timm"): ["timm"],
    ("extractors", "pretrained-torchaudio"): ["torchaudio"],
    ("extractors", "pretrained-onnx"): ["onnxruntime"],
}


@pytest.mark.parametrize(("kind", "name"), COUNTED)
def test_another_version_of_the_library_is_another_component(kind, name, monkeypatch, tmp_path):
    (tmp_path / "weights").write_bytes(b"1")
    values = {"weights": str(tmp_path / "weights")} if name in ("pretrained-timm", "pretrained-torchaudio") else {}
    component = load_catalog().component(kind, name, values)
    before = component.identity()
    assert component.identity() == before
    version = metadata.version
    for library in COUNTED[kind, name]:
        monkeypatch.setattr(metadata, "version", lambda one, own=library: "0.0" if one == own else version(one))
        assert component.identity() != before
        assert component.identity("fit") != before


@pytest.mark.parametrize(
    ("kind", "name"), [("scorers", "knn"), ("scorers", "gmm"), ("extractors", "raw-mel"), ("frontends", "log-mel")]
)
def test_identities_of_our_own_parts_know_no_libraries(kind, name):
    assert set(load_catalog().component(kind, name).identity()) == {"target", "version", "params"}


def test_weights_of_the_hub_count_by_their_content(monkeypatch):
    import timm
    import torch

    from asdbench.extractors.pretrained import frozen, timm_backbone

    made = timm.create_model

    def hub(seed):
        def create(name, pretrained, **more):
            assert pretrained
            torch.manual_seed(seed)
            return made(name, pretrained=False, **more)

        monkeypatch.setattr(timm_backbone.timm, "create_model", create)
        frozen.digest_of_download.cache_clear()
        return load_catalog().component("extractors", "pretrained-timm", {"backbone": "test_resnet"}).identity()

    first, same, other = hub(0), hub(0), hub(1)
    assert first == same
    assert first["weights"] != other["weights"]
    frozen.digest_of_download.cache_clear()
