"""Every component that ships goes through what authors' own are put through."""

import numpy as np
import pytest
import timm
import torch
import torchaudio
from safetensors.torch import save_file
from tiny_encoders import WRITERS
from tiny_onnx import write_onnx

from asdbench.registry import load_catalog
from asdbench.testing import check_augmentation, check_extractor, check_frontend, check_scorer, check_step
from asdbench.testing.sounds import make_sounds

CATALOG = load_catalog()
TINY = {  # parameters that make a network small
    "simclr": {"backbone": "test_resnet", "projection_dim": 16, "copies": 1, "crop_s": 0.5},
    "attribute-classifier": {"branches": ["stft-1024"], "dim": 16, "crop_s": 0.5},
    "lora-classifier": {"rank": 2, "dim": 8, "crop_s": 0.5},
    "siamese": {"conv_layers": 1, "features": 8, "validation": 0.0},
    "twfr-chosen": {"choose_from": ["0", "1"]},
    "pretrained-timm": {"backbone": "test_resnet"},
    "psd": {"n_fft": 1024},
}
TINY_SPEECH = {
    "extractor_mode": "group_norm",
    "extractor_conv_layer_config": [(8, 10, 5), (8, 8, 4)],
    "extractor_conv_bias": False,
    "encoder_embed_dim": 8,
    "encoder_projection_dropout": 0.1,
    "encoder_pos_conv_kernel": 16,
    "encoder_pos_conv_groups": 4,
    "encoder_num_layers": 1,
    "encoder_num_heads": 2,
    "encoder_attention_dropout": 0.1,
    "encoder_ff_interm_features": 8,
    "encoder_ff_interm_dropout": 0.0,
    "encoder_dropout": 0.1,
    "encoder_layer_norm_first": False,
    "encoder_layer_drop": 0.05,
    "aux_num_out": None,
}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Parameters of pretrained networks, whose weights are drawn and small."""

    def of(name):
        torch.manual_seed(0)
        if name == "pretrained-timm":
            path = tmp_path / "weights.safetensors"
            save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), path)
            return {"weights": str(path)}
        if name == "pretrained-torchaudio":
            bundle = torchaudio.pipelines.Wav2Vec2Bundle("tiny.pth", TINY_SPEECH, 16000, True, "Wav2Vec2")
            monkeypatch.setattr(torchaudio.pipelines, "TINY", bundle, raising=False)
            torch.save(torchaudio.models.wav2vec2_model(**TINY_SPEECH).state_dict(), tmp_path / "tiny.pth")
            return {"bundle": "TINY", "weights": str(tmp_path / "tiny.pth"), "poolings": ["mean", "std"]}
        if name in ("pretrained-onnx", "speech-embedding"):
            pytest.importorskip("onnxruntime")
            model = write_onnx(tmp_path / "model.onnx", ["n", 128, "t"])
            return {"models": [str(model)], "window": 0, "hop": 0, "poolings": ["mean", "std"]}
        if name == "lora-classifier":
            return {"weights": WRITERS["beats"](tmp_path / "encoder.pt")[0]}
        if name in WRITERS:
            return {"weights": WRITERS[name](tmp_path / "encoder.pt")[0], "pool_over": "band"}
        return {}

    return of


# A larger network behind the same code is not trained here.
@pytest.mark.parametrize("name", [name for name in CATALOG.names("extractors") if name != "simclr-resnet50"])
def test_extractors(name, weights):
    spectrogram = "log-mel" if name in ("pretrained-onnx", "speech-embedding") else None
    check_extractor(name, frontend=spectrogram, **TINY.get(name, {}), **weights(name))


@pytest.mark.parametrize("name", [*CATALOG.names("scorers"), "pyod:KNN", "sklearn:svm.OneClassSVM", "whiten+knn"])
def test_scorers(name):
    check_scorer(name)


@pytest.mark.parametrize("name", CATALOG.names("steps"))
def test_steps(name):
    check_step(name)


@pytest.mark.parametrize("name", CATALOG.names("augmentations"))
def test_augmentations(name):
    check_augmentation(name)


@pytest.mark.parametrize("name", CATALOG.names("frontends"))
def test_frontends(name, tmp_path):
    file = tmp_path / "embeddings.npz"
    np.savez(file, names=["fan/train/a.wav"], embeddings=np.ones((1, 4), np.float32))
    check_frontend(name, **({"file": str(file)} if name == "embedding-file" else {}))


def test_anomalies_of_the_made_clips_are_clear_to_plain_arithmetic():
    sounds = make_sounds(16000, 16000)
    loudness = {
        key: float(np.sqrt(np.mean(np.square(samples, dtype=float)))) for key, samples in sounds.waveforms.items()
    }
    loudest = max(loudness[clip.key] for clip in [*sounds.training, *sounds.normal])
    assert min(loudness[clip.key] for clip in sounds.anomalous) > 1.5 * loudest
    assert {clip.domain for clip in sounds.training} == {"source", "target"}
    assert len({clip.key for clip in [*sounds.training, *sounds.normal, *sounds.anomalous]}) == len(sounds.waveforms)
