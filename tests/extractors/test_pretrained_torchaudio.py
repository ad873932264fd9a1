import urllib.request
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchaudio
from torchaudio.pipelines import Wav2Vec2Bundle

import asdbench
from asdbench.core.errors import RequirementError, UsageError

TINY = {
    "extractor_mode": "group_norm",
    "extractor_conv_layer_config": [(16, 10, 5), (16, 8, 4), (16, 8, 4), (16, 8, 4)],
    "extractor_conv_bias": False,
    "encoder_embed_dim": 24,
    "encoder_projection_dropout": 0.1,
    "encoder_pos_conv_kernel": 16,
    "encoder_pos_conv_groups": 4,
    "encoder_num_layers": 3,
    "encoder_num_heads": 4,
    "encoder_attention_dropout": 0.1,
    "encoder_ff_interm_features": 32,
    "encoder_ff_interm_dropout": 0.0,
    "encoder_dropout": 0.1,
    "encoder_layer_norm_first": False,
    "encoder_layer_drop": 0.05,
    "aux_num_out": None,
}


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A bundle like WAV2VEC2_LARGE_LV60K, which normalises its waveform, but small; its network and a weights file."""
    bundle = Wav2Vec2Bundle("tiny.pth", TINY, 16000, True, "Wav2Vec2")
    monkeypatch.setattr(torchaudio.pipelines, "TINY", bundle, raising=False)
    torch.manual_seed(0)
    network = torchaudio.models.wav2vec2_model(**TINY).eval()
    torch.save(network.state_dict(), tmp_path / "tiny.pth")
    return network, str(tmp_path / "tiny.pth")


@pytest.mark.parametrize(("layer", "depth"), [(0, 3), (1, 1), (2, 2), (3, 3)])
def test_the_embedding_is_a_layer_of_the_network_pooled(tiny, layer, depth, table, make_context):
    network, weights = tiny
    context, clips = make_context(frontend="waveform"), table.blind_view()[:3]
    settings = {"bundle": "TINY", "weights": weights, "layer": layer, "poolings": ["mean", "std"]}
    extractor = asdbench.build("pretrained-torchaudio", **settings)
    extractor.fit(table.training_view(), context)
    rows = extractor.embed(clips, context)
    for clip, row in zip(clips, rows, strict=True):
        samples = np.asarray(context.features[clip.key], np.float64).ravel()
        samples = torch.from_numpy((samples - samples.mean()) / np.sqrt(samples.var() + 1e-5)).float()
        with torch.no_grad():
            frames = network.extract_features(samples[None])[0][depth - 1][0].numpy()
        assert np.allclose(row, np.concatenate([frames.mean(0), frames.std(0)]), atol=1e-3)
    assert np.array_equal(extractor.embed(clips[1:], context), rows[1:])  # one clip does not normalise another
    assert np.array_equal(asdbench.build("pretrained-torchaudio", **settings).embed(clips, context), rows)


def test_what_does_not_fit_is_refused(tiny, table, make_context):
    _, weights = tiny
    context, training, clips = make_context(frontend="waveform"), table.training_view(), table.blind_view()[:1]
    with pytest.raises(UsageError, match=r"no bundle 'WAV2VEC2_BAS' that embeds\. Did you mean 'WAV2VEC2_BASE'\?"):
        asdbench.build("pretrained-torchaudio", bundle="WAV2VEC2_BAS")
    with pytest.raises(UsageError, match="no bundle 'CONVTASNET_BASE_LIBRI2MIX' that embeds"):
        asdbench.build("pretrained-torchaudio", bundle="CONVTASNET_BASE_LIBRI2MIX")
    with pytest.raises(UsageError, match=r"__init__\.py does not hold torchaudio's weights of TINY"):
        asdbench.build("pretrained-torchaudio", bundle="TINY", weights=asdbench.__file__).fit(training, context)
    with pytest.raises(UsageError, match=r"layer is 4; TINY: .*between \[1, 3\]"):
        asdbench.build("pretrained-torchaudio", bundle="TINY", weights=weights, layer=4).embed(clips, context)
    slow = make_context(frontend="waveform", sample_rate_hz=8000)
    with pytest.raises(UsageError, match=r"takes waveforms at 16000 Hz; .* 8000 frames"):
        asdbench.build("pretrained-torchaudio", bundle="TINY", weights=weights).fit(training, slow)


def test_without_a_network_the_way_out_is_told(tiny, monkeypatch, tmp_path, table, make_context):
    def offline(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    monkeypatch.setattr(torch.hub, "urlopen", offline)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    with pytest.raises(RequirementError, match=r"TINY cannot be downloaded .*no route.*\n.*weights=FILE\.pth"):
        asdbench.build("pretrained-torchaudio", bundle="TINY").fit(
            table.training_view(), make_context(frontend="waveform")
        )
