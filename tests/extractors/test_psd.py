from itertools import pairwise

import numpy as np
import pytest

import asdbench
from asdbench.core.errors import TrainingError, UsageError

RATE = 16000


def written_out(samples, n_fft, average):
    """Welch's method: density of each bin, per Hz."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    spectra = []
    for start in range(0, len(samples) - n_fft + 1, n_fft // 2):
        piece = samples[start : start + n_fft]
        power = np.abs(np.fft.rfft((piece - piece.mean()) * window)) ** 2 / (RATE * np.sum(window**2))
        power[1:-1] *= 2
        spectra.append(power)
    if average == "mean":
        return np.mean(spectra, axis=0)
    # The median of an exponential variable lies below its mean: sum of 1 / (k + 1) over k of both parities.
    odd = np.arange(2, len(spectra) if len(spectra) % 2 else len(spectra) - 1, 2)
    return np.median(spectra, axis=0) / (1 + np.sum(1 / (odd + 1) - 1 / odd))


def in_bands(density, bands, f_min, n_fft):
    """Mean density of each band, by steps far finer than a bin."""
    edges = np.geomspace(f_min, RATE / 2, bands + 1)
    result = []
    for low, high in pairwise(edges):
        points = low + (np.arange(4000) + 0.5) / 4000 * (high - low)
        result.append(density[np.rint(points * n_fft / RATE).astype(int)].mean())
    return np.array(result)


@pytest.mark.parametrize(("n_fft", "average"), [(8192, "mean"), (2048, "median")])
def test_bands_are_those_of_welch(table, make_context, n_fft, average):
    clips, context = table.blind_view()[:3], make_context(training=False, frontend="waveform")
    rows = asdbench.build("psd", n_fft=n_fft, bands=40, average=average, f_min_hz=10.0).embed(clips, context)
    assert rows.shape == (3, 40)
    assert rows.dtype == np.float32
    for row, clip in zip(rows, clips, strict=True):
        samples = np.asarray(context.features[clip.key][0, 0], np.float64)
        wanted = 10 * np.log10(in_bands(written_out(samples, n_fft, average), 40, 10.0, n_fft))
        assert np.allclose(row, wanted, atol=0.02)


def embedded(make_held, samples, **params):
    clips, context = make_held(samples)
    return asdbench.build("psd", **params).embed(clips, context)[0]


@pytest.fixture
def make_held(table, make_context):
    from dataclasses import replace

    from asdbench.frontends.pack import InMemoryFeatures

    def make(samples):
        clip = table.blind_view()[0]
        features = InMemoryFeatures({clip.key: np.asarray(samples, np.float32)[None, None]})
        return [clip], replace(make_context(training=False, frontend="waveform"), features=features)

    return make


def test_a_tone_stands_at_its_frequency_with_its_power(make_held):
    samples = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(4 * RATE) / RATE)
    row = embedded(make_held, samples)
    edges = np.geomspace(20.0, RATE / 2, 129)
    assert edges[row.argmax()] <= 1000 <= edges[row.argmax() + 1]
    power = np.sum(10 ** (row / 10.0) * np.diff(edges))
    assert power == pytest.approx(0.5**2 / 2, rel=1e-3)  # the density over all bands adds up to the sine's power


def test_gain_counts_unless_level_is_removed(make_held):
    samples = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    soft, loud = (embedded(make_held, gain * samples) for gain in (1, 4))
    assert np.allclose(loud - soft, 20 * np.log10(4), atol=1e-3)
    soft, loud = (embedded(make_held, gain * samples, remove_level=True) for gain in (1, 4))
    assert np.allclose(loud, soft, atol=1e-3)
    assert soft.mean() == pytest.approx(0, abs=1e-4)


def test_short_and_silent_clips_have_a_spectrum(make_held):
    noise = 0.1 * np.random.default_rng(0).standard_normal(64 * RATE)
    short, long = embedded(make_held, noise[:3000], bands=8), embedded(make_held, noise, bands=8)
    assert np.allclose(short[4:], long[4:], atol=1.5)  # white noise has one level, whatever the length of the window
    assert np.allclose(embedded(make_held, np.zeros(RATE)), -200.0)


def test_what_cannot_be_is_said(table, make_context):
    clips = table.blind_view()[:1]
    with pytest.raises(TrainingError, match="takes the front end 'waveform'; this one gives 128 bins"):
        asdbench.build("psd").embed(clips, make_context(training=False, frontend="log-mel"))
    with pytest.raises(UsageError, match=r"below half the sample rate \(8000\)"):
        asdbench.build("psd", f_min_hz=9000.0).embed(clips, make_context(training=False, frontend="waveform"))
