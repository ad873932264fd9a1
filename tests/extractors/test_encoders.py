"""Encoders against the outputs of the authors' programs, and poolings against their formulas."""

import numpy as np
import pytest
import torch
from tiny_encoders import BEATS, write_beats, write_dasheng

import asdbench as asd
from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.extractors.encoders.beats import BeatsNetwork

RATE = 16000
WAVES = list(0.1 * np.random.default_rng(0).standard_normal((2, 9000)))


def embedded(name, waves=WAVES, rate=RATE, **params):
    return asd.extractor(name, **params).embed_audio(waves, sample_rate_hz=rate)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    return {
        "beats": write_beats(folder / "beats.pt")[0],
        "dasheng": write_dasheng(folder / "dasheng.pt")[0],
        "token": write_dasheng(folder / "token.pt", pooling="token")[0],
    }


@pytest.mark.parametrize("stem", ["beats-tiny", "beats-tiny-finetuned", "dasheng-tiny"])
def test_patches_are_those_of_the_reference_program(stem, shared_data):
    expected = np.load(shared_data / "encoders" / f"{stem}.npz")
    waves = [expected["wave0"], expected["wave1"]]
    params = {"weights": str(shared_data / "encoders" / f"{stem}.pt"), "pooling": "none"}
    layers = ["last", *{int(key[5]) for key in expected if key.startswith("layer")}]
    for layer in layers:
        patches = embedded(stem.partition("-")[0], waves, layer=layer, **params)
        for number, found in enumerate(patches):
            key = f"last{number}" if layer == "last" else f"layer{layer}_{number}"
            np.testing.assert_allclose(found, expected[key], rtol=0, atol=1e-4)


def test_filter_banks_are_those_of_the_reference_program(shared_data):
    expected = np.load(shared_data / "encoders" / "beats-tiny.npz")
    for number in "01":
        banks = BeatsNetwork(BEATS).filter_banks(torch.from_numpy(expected[f"wave{number}"])[None])[0]
        np.testing.assert_allclose(banks, expected[f"fbank{number}"], rtol=0, atol=1e-4)


def by_hand(x, pooling):
    """A pooling of (positions, dim), written out."""
    if pooling == "gem":
        return np.array([np.mean([max(value, 1e-6) ** 3.0 for value in column]) ** (1 / 3.0) for column in x.T])
    if pooling == "rdp":
        deviations = np.array([np.sqrt(sum((row - x.mean(0)) ** 2)) for row in x])
        weights = (1 + deviations / max(deviations)) ** 4.0
        return sum(weight * row for weight, row in zip(weights / sum(weights), x, strict=True))
    return getattr(np, pooling)(x, axis=0)


@pytest.mark.parametrize("pooling", ["mean", "max", "std", "gem", "rdp"])
def test_poolings_of_patches_bands_and_layers(pooling, files):
    params = {"weights": files["beats"], "layer": [2, 1]}
    patches = embedded("beats", pooling="none", **params)
    bands = embedded("beats", pooling=pooling, pool_over="band", **params)
    assert bands.shape == (2, 8, 2 * 12)
    rows = embedded("beats", pooling=pooling, pool_over="time", **params)
    np.testing.assert_array_equal(rows, bands.reshape(2, -1))
    whole = embedded("beats", pooling=pooling, **params)
    for number, values in enumerate(patches):
        grid = values.astype(np.float64).reshape(-1, 8, 2, 12)  # time, band, layer, dim
        for layer in (0, 1):
            part = slice(12 * layer, 12 * layer + 12)
            for band in range(8):
                np.testing.assert_allclose(bands[number, band, part], by_hand(grid[:, band, layer], pooling), atol=1e-5)
            all_patches = grid[:, :, layer].reshape(-1, 12)
            np.testing.assert_allclose(whole[number, part], by_hand(all_patches, pooling), atol=1e-5)


def test_rdp_is_the_mean_with_gamma_zero_and_where_nothing_deviates(files):
    from asdbench.extractors.encoders.pooling import relative_deviation

    params = {"weights": files["dasheng"]}
    mean = embedded("dasheng", **params)
    np.testing.assert_allclose(embedded("dasheng", pooling="rdp", rdp_gamma=0, **params), mean, atol=1e-6)
    np.testing.assert_array_equal(relative_deviation(4.0)(np.full((3, 2), 5, np.float32)), [5, 5])


@pytest.mark.parametrize("name", ["beats", "dasheng"])
def test_layers_count_from_one_and_the_last_is_the_default(name, files):
    first, second, both, last = (
        embedded(name, weights=files[name], **layer) for layer in ({"layer": 1}, {"layer": "2"}, {"layer": "1,2"}, {})
    )
    np.testing.assert_array_equal(second, last)
    np.testing.assert_array_equal(both, np.hstack([first, second]))
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize(("frames", "patches"), [(4, 1), (100, 25), (305, 76), (301, 100)])
def test_long_clips_go_through_dasheng_in_windows(frames, patches, files):
    wave = 0.1 * np.random.default_rng(1).standard_normal(160 * (frames - 1))
    (found,) = embedded("dasheng", [wave], weights=files["dasheng"], pooling="none")
    assert found.shape == (patches, 12)  # 301 frames: a rest below a patch counts whole, as in the authors' program


def test_the_class_token_is_the_first_output_of_the_network(files, monkeypatch):
    outputs = []
    forward = torch.nn.LayerNorm.forward

    def noting(self, x):
        outputs.append(forward(self, x))
        return outputs[-1]

    monkeypatch.setattr(torch.nn.LayerNorm, "forward", noting)
    found = embedded("dasheng", WAVES[:1], weights=files["token"], pooling="cls")
    np.testing.assert_allclose(found, outputs[-1][:, 0], atol=1e-6)
    assert embedded("dasheng", WAVES[:1], weights=files["token"], pooling="none")[0].shape == (14, 12)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"layer": 3}, r"beats\.layer: there is no layer 3; .*beats\.pt has 2\.\nAccepted: 1 to 2"),
        ({"layer": "first"}, r"beats\.layer takes numbers .* not 'first'"),
        ({"layer": 0}, r"counted from 1"),
        ({"pooling": "cls"}, r"no class token\.\n.*pooling=mean"),
        ({"pooling": "cls", "pool_over": "band"}, "pool_over=patches alone"),
        ({"weights": ""}, r"beats has no weights\. .*beats\.weights=FILE"),
    ],
)
def test_what_an_encoder_cannot_do_is_told(params, words, files):
    with pytest.raises(UsageError, match=words):
        embedded("beats", **({"weights": files["beats"]} | params))


def test_clips_shorter_than_a_patch_are_refused(files):
    with pytest.raises(AsdbenchError, match=r"1 of 2 clips are shorter than one patch of beats \(175 ms\)"):
        embedded("beats", [WAVES[0], WAVES[1][:2799]], weights=files["beats"])
    assert embedded("beats", [WAVES[0][:2800]], weights=files["beats"], pooling="none")[0].shape == (8, 12)


def test_a_run_records_the_size_of_the_network_and_bands_reach_the_scorers(files, small_dataset, tmp_path):
    params = {"weights": files["beats"], "pool_over": "band"}
    scorers = ["join-bands+knn", "knn"]
    joined, refused = asd.run(small_dataset, extractor=asd.extractor("beats", **params), scorer=scorers, out=tmp_path)
    assert joined.record.status == "done"
    network = joined.record.training[0]
    assert (
        network.parameters
        == sum(value.numel() for key, value in torch.load(files["beats"])["model"].items() if not key.endswith("_g"))
        - 32 * 2
    )  # the table of relative positions is one for both layers
    assert network.macs > 0
    assert not network.curves
    assert refused.record.status == "failed"
    assert "join-bands+knn" in refused.record.failures[0].reason
    patches = asd.extractor("beats", pooling="none", weights=files["beats"])
    with pytest.raises(UsageError, match="pooling=none gives patches"):
        asd.run(small_dataset, extractor=patches, scorer="knn", out=tmp_path)
