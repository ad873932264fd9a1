import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_onnx import write_onnx

import asdbench
from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.progress import Silent
from asdbench.datasets import BlindClip
from asdbench.extractors import Context
from asdbench.frontends.pack import InMemoryFeatures

onnxruntime = pytest.importorskip("onnxruntime")


def features_of(clip, context):
    """(frames, bins)."""
    return np.asarray(context.features[clip.key])[0].T


def embedded(table, context, **settings):
    return asdbench.build("pretrained-onnx", **settings).embed(table.blind_view()[:3], context)


# The model hands on what it is given, so the embedding shows which way round it came.
@pytest.mark.parametrize(
    ("layout", "shape", "expected"),
    [
        ("frames,bins", ["n", "t", 128], lambda x: x),
        ("bins,frames", ["n", 128, "t"], lambda x: x.T),
        ("1,bins,frames", ["n", 1, 128, "t"], lambda x: x.T),
        ("1,frames,bins", ["n", 1, "t", 128], lambda x: x),
        ("bins,frames,1", ["n", 128, "t", 1], lambda x: x.reshape(-1, 1)),
        ("frames,bins,1", ["n", "t", 128, 1], lambda x: x.reshape(-1, 1)),
    ],
)
def test_spectrograms_lie_as_the_model_says(layout, shape, expected, table, make_context, tmp_path):
    model = write_onnx(tmp_path / "model.onnx", shape)
    context = make_context(training=False)
    for settings in ({}, {"layouts": [layout]}):
        rows = embedded(table, context, models=[str(model)], poolings=["mean", "max"], **settings)
        for clip, row in zip(table.blind_view(), rows, strict=False):
            seen = expected(features_of(clip, context))
            assert np.allclose(row, np.concatenate([seen.mean(0), seen.max(0)]), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shape", [["n", "samples"], ["n", 1, "samples"], ["n", "samples", 1], [1, "c", "t"]])
def test_waveforms_with_and_without_an_axis_of_channels(shape, table, make_context, tmp_path):
    model = write_onnx(tmp_path / "model.onnx", shape)
    context = make_context(training=False, frontend="waveform")
    rows = embedded(table, context, models=[str(model)], poolings=["max"], input_scale=10.0, input_offset=-1.0)
    for clip, row in zip(table.blind_view(), rows, strict=False):
        samples = features_of(clip, context)[:, 0] * 10.0 - 1.0
        per_sample = shape[-1] == 1
        assert np.allclose(row, samples.max() if per_sample else samples, rtol=1e-5)


@pytest.mark.parametrize("batch", ["n", 1])
def test_windows_of_the_last_model(batch, table, make_context, tmp_path):
    first = write_onnx(tmp_path / "first.onnx", ["n", "t", 128])
    last = write_onnx(tmp_path / "last.onnx", [batch, 10, 128], "Neg")
    context = make_context(training=False)
    rows = embedded(
        table, context, models=[str(first), str(last)], window=10, hop=4, between_scale=0.1, between_offset=2.0,
        poolings=["std"],
    )  # fmt: skip
    for clip, row in zip(table.blind_view(), rows, strict=False):
        frames = features_of(clip, context) * 0.1 + 2.0
        windows = np.lib.stride_tricks.sliding_window_view(frames, 10, axis=0)[::4]  # (windows, 128, 10)
        expected = -windows.transpose(0, 2, 1).reshape(-1, 128)
        assert len(frames) % 4 != 2  # something is left over
        assert np.allclose(row, expected.std(0), rtol=1e-3, atol=1e-4)


def test_a_clip_shorter_than_a_window_is_repeated(table, make_context, tmp_path):
    model = write_onnx(tmp_path / "model.onnx", ["n", 100, 128], "Neg")
    context = make_context(training=False)
    rows = embedded(table, context, models=[str(model)], window=100)
    for clip, row in zip(table.blind_view(), rows, strict=False):
        frames = features_of(clip, context)
        assert len(frames) < 100
        repeated = np.concatenate([frames] * 4)[:100]
        assert np.allclose(row, -repeated.mean(0), rtol=1e-4, atol=1e-3)


def test_the_embedding_may_lie_behind_the_batch_and_outputs_have_names(table, make_context, tmp_path):
    model = write_onnx(tmp_path / "model.onnx", ["n", 128, "t"], outputs=("logits", "hidden"))
    context = make_context(training=False)
    rows = embedded(table, context, models=[str(model)], axes=["first"], output="hidden")
    for clip, row in zip(table.blind_view(), rows, strict=False):
        assert np.allclose(row, features_of(clip, context).mean(0), rtol=1e-4, atol=1e-3)
    with pytest.raises(UsageError, match=r"no output 'hiden'\. It has logits, hidden"):
        embedded(table, context, models=[str(model)], output="hiden")


def test_what_cannot_be_used_is_refused(table, make_context, tmp_path):
    context = make_context(training=False)
    with pytest.raises(UsageError, match="has no model"):
        asdbench.build("pretrained-onnx")
    with pytest.raises(UsageError, match="layouts has 2 values for 3 models"):
        asdbench.build("pretrained-onnx", models=[__file__] * 3, layouts=["frames", "auto"])
    with pytest.raises(UsageError, match=r"test_pretrained_onnx\.py cannot be opened as an ONNX model"):
        embedded(table, context, models=[__file__])
    free = write_onnx(tmp_path / "free.onnx", ["n", "a", "b"])
    with pytest.raises(UsageError, match="more than one of the layouts fits: bins,frames, frames,bins"):
        embedded(table, context, models=[str(free)])
    fixed = write_onnx(tmp_path / "fixed.onnx", ["n", 76, 32, 1])
    with pytest.raises(UsageError, match=r"takes \['n', 76, 32, 1\], and there are 32 frames of 128 bins: no layout"):
        embedded(table, context, models=[str(fixed)])
    several = write_onnx(tmp_path / "several.onnx", ["n", "a"], inputs=("x", "rate"))
    with pytest.raises(UsageError, match="Accepted: one input"):
        embedded(table, context, models=[str(several)])
    whole = write_onnx(tmp_path / "whole.onnx", ["n", "a"], kind=7)
    with pytest.raises(UsageError, match=r"tensor\(int64\)"):
        embedded(table, context, models=[str(whole)])


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RequirementError, match=r"asdbench\[onnx\]"):
        asdbench.build("pretrained-onnx", models=[__file__])


@pytest.fixture(scope="module")
def speech_embedding() -> list[str]:
    """The two models that the package openwakeword carries."""
    package = find_spec("openwakeword")
    if package is None:
        pytest.skip("the package openwakeword, which carries ONNX models, is not installed")
    folder = Path(package.origin).parent / "resources" / "models"
    return [str(folder / "melspectrogram.onnx"), str(folder / "embedding_model.onnx")]


def by_hand(models, samples):
    """(windows, 96), by onnxruntime alone: 76 mel frames every 8."""
    mel, network = (onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in models)
    frames = mel.run(None, {"input": samples[None].astype(np.float32)})[0][0, 0] / 10 + 2
    starts = range(0, len(frames) - 75, 8)
    return np.stack([network.run(None, {"input_1": frames[None, at : at + 76, :, None]})[0].ravel() for at in starts])


def test_a_real_model_as_run_by_hand_and_by_its_own_package(speech_embedding, shared_data):
    files = sorted((shared_data / "real" / "slider-2023" / "slider" / "test").iterdir())[::60][:2]
    samples = {path.name: soundfile.read(path, dtype="int16", always_2d=True)[0][:, 0] for path in files}
    features = InMemoryFeatures({name: (one / np.float32(32768))[None, None] for name, one in samples.items()})
    extractor = asdbench.build("speech-embedding", models=speech_embedding, poolings=["mean", "std", "max"])
    clips = [BlindClip(name, "slider", "00") for name in samples]
    rows = extractor.embed(clips, Context(0, "cpu", 2, Silent(), features, 16000.0))
    package = pytest.importorskip("openwakeword.utils").AudioFeatures()
    for row, one in zip(rows, samples.values(), strict=True):
        found = by_hand(speech_embedding, one)
        assert np.allclose(package._get_embeddings(one), found, atol=1e-3)
        assert np.abs(found).max() > 10
        assert np.allclose(row, np.concatenate([found.mean(0), found.std(0), found.max(0)]), atol=1e-3)


def test_jobs_change_nothing_and_other_clips_neither(speech_embedding, table, make_context):
    context, clips = make_context(training=False, frontend="waveform"), table.blind_view()[:5]
    extractor = asdbench.build("speech-embedding", models=speech_embedding)
    rows = extractor.embed(clips, replace(context, jobs=1))
    assert np.array_equal(rows, extractor.embed(clips, replace(context, jobs=4)))
    assert np.array_equal(rows[3:], extractor.embed(clips[3:], context))
