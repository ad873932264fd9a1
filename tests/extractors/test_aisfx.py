"""aiSFX: the network of the package aisfx with its published weights, and a small one of the same form.

The package is fetched by make setup, without what it depends on; tests that need it are skipped where it is not.
"""

import importlib.util
from importlib import metadata
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from tiny_encoders import write_aisfx

import asdbench as asd
from asdbench.core.errors import UsageError
from asdbench.extractors.encoders.aisfx import Aisfx

RATE = 44100
GENERATOR = np.random.default_rng(0)
WAVES = [0.1 * GENERATOR.standard_normal(samples) for samples in (10 * RATE, 3 * RATE, RATE)]


@pytest.fixture(scope="module")
def checkpoint():
    path = Aisfx.installed_weights()
    if not path:
        pytest.skip("the package aisfx is not installed: python -m pip install --no-deps aisfx==0.1.2")
    return path


def embedded(waves=WAVES, rate=RATE, **params):
    return [asd.extractor("aisfx", **params).embed_audio([wave], sample_rate_hz=rate) for wave in waves]


def mel_powers(wave):
    """log10(1 + 10^4 x) of mel powers, written out: HTK scale, each triangle's weights sum to one."""
    wave = np.pad(wave / np.abs(wave).max(), 1024)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    frames = np.lib.stride_tricks.sliding_window_view(wave, 2048)[::1024]
    powers = np.abs(np.fft.rfft(frames * window)) ** 2
    hz = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), 98) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, 1025)
    filters = np.array([np.interp(bins, hz[band : band + 3], [0, 1, 0]) for band in range(96)])
    return np.log10(1 + 1e4 * powers @ (filters / filters.sum(axis=1, keepdims=True)).T) / 9.457798957824707


def reference_network(checkpoint):
    """The package's own network, from its own file, without the rest of the package."""
    place = metadata.distribution("aisfx").locate_file("aisfx/models/cnn2d.py")
    spec = importlib.util.spec_from_file_location("cnn2d", str(place))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.EmbeddingNet("max", 3, 1, 64)
    state, _ = torch.load(checkpoint, map_location="cpu", weights_only=False)  # the package's own way
    prefix = "embedding_net."
    network.load_state_dict({key.removeprefix(prefix): one for key, one in state.items() if key.startswith(prefix)})
    return network.eval()


def test_embeddings_are_those_of_the_package(checkpoint):
    network = reference_network(checkpoint)
    for wave, (found,) in zip(WAVES, embedded(pooling="none"), strict=True):
        spectrum = mel_powers(wave)
        spectrum = np.pad(spectrum, ((0, max(0, 100 - len(spectrum))), (0, 0)))
        windows = [spectrum[start : start + 100] for start in range(0, len(spectrum) - 99, 50)]
        with torch.inference_mode():
            expected = network(torch.tensor(np.array(windows), dtype=torch.float32))
        assert found.shape == (len(windows), 512)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    (mean,) = embedded(WAVES[:1])
    np.testing.assert_allclose(mean[0], embedded(WAVES[:1], pooling="none")[0][0].mean(axis=0), atol=1e-6)


def test_the_wheel_the_checkpoint_and_the_installed_package_are_one(checkpoint, tmp_path):
    with ZipFile(tmp_path / "aisfx.whl", "w") as wheel:
        wheel.write(checkpoint, "aisfx/models/checkpoint.pth")
    wave = [WAVES[2]]
    (installed,) = embedded(wave)
    for path in (checkpoint, tmp_path / "aisfx.whl"):
        np.testing.assert_array_equal(embedded(wave, weights=str(path))[0], installed)


def test_layers_have_bands_and_the_fifth_is_the_embedding_of_block_four(tmp_path):
    path, _ = write_aisfx(tmp_path / "small.pth")
    wave = [WAVES[1]]  # 130 frames: one window of 100
    shapes = {1: (50, 48, 2), 2: (25, 24, 3), 3: (12, 12, 4), 4: (12, 12, 5), 5: (1, 1, 5)}
    patches = {layer: embedded(wave, weights=path, layer=layer, pooling="none")[0][0] for layer in shapes}
    for layer, (time, bands, dim) in shapes.items():
        assert patches[layer].shape == (time * bands, dim)
    block = patches[4].reshape(12, 12, 5)
    np.testing.assert_allclose(block.mean(axis=1).max(axis=0), patches[5][0], rtol=1e-5)
    (last,) = embedded(wave, weights=path)
    np.testing.assert_array_equal(last, embedded(wave, weights=path, layer=5)[0])


def test_loudness_changes_nothing(tmp_path):
    path, _ = write_aisfx(tmp_path / "small.pth")
    loud, quiet = embedded([WAVES[1], 1e-3 * WAVES[1]], weights=path)
    np.testing.assert_allclose(loud, quiet, atol=1e-4)


def test_without_the_package_the_command_that_installs_it_is_told(monkeypatch, tmp_path):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(UsageError, match=r"pip install --no-deps aisfx==0\.1\.2.*\n.*asdbench show aisfx"):
        asd.extractor("aisfx").embed_audio([WAVES[2]], sample_rate_hz=RATE)


def test_weights_of_the_package_count_by_their_content(checkpoint):
    identity = asd.extractor("aisfx").component.identity()
    assert len(identity["weights"]) >= 16
    assert "weights" not in asd.extractor("aisfx", weights=checkpoint).component.identity()
