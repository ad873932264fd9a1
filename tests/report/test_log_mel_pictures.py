import base64
import io
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from torchaudio.functional import melscale_fbanks

from asdbench.datasets.audio import BadRecording
from asdbench.detector.spectrograms import (
    LogMelPictures,
    MelScale,
    averaged,
    common_scale_db,
    draw_log_mel,
    frequency_ticks,
    wav_address,
)
from asdbench.harness.record import UsedComponent


def frontend(name="log-mel", **params):
    return UsedComponent(name=name, target="a:B", version=1, params=params)


@pytest.mark.parametrize("htk", [True, False])
@pytest.mark.parametrize(("n_mels", "low", "high"), [(128, 0.0, 8000.0), (64, 50.0, 11000.0)])
def test_frequencies_stand_where_the_filters_have_their_peaks(htk, n_mels, low, high):
    filters = melscale_fbanks(40001, low, high, n_mels, 24000, None, "htk" if htk else "slaney").numpy()
    frequencies = np.linspace(0, 12000, 40001)
    scale = MelScale(n_mels, low, high, htk)
    for peak in range(0, n_mels, 7):
        assert scale.bin_of(frequencies[filters[:, peak].argmax()]) == pytest.approx(peak, abs=0.02)


def test_ticks_lie_within_the_picture_and_apart():
    scale = MelScale(128, 0.0, 8000.0, False)
    ticks = frequency_ticks(scale)
    bins = [scale.bin_of(hz) for hz in ticks]
    assert 4000 in ticks
    assert all(-0.5 <= place <= 127.5 for place in bins)
    assert all(upper - lower >= 12 for upper, lower in pairwise(bins))


@pytest.mark.parametrize("name", ["log-mel", "mel-image"])
def test_a_tone_lights_up_at_its_frequency_and_time(write_wav, tmp_path, name):
    rate = 16000
    time = np.arange(2 * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 2000 * time) * (time >= 1)
    path = write_wav(tmp_path / "tone.wav", tone + 1e-4 * np.random.default_rng(0).standard_normal(len(tone)))
    pictures = LogMelPictures(frontend(name, sample_rate_hz=rate, channel="0"))
    assert pictures.as_seen == (name == "log-mel")
    samples = pictures.read(path)
    levels = pictures.levels_db(samples)
    assert levels.max(axis=1).argmax() == pytest.approx(pictures.scale.bin_of(2000), abs=1)
    figure = draw_log_mel(levels, 2.0, pictures.scale, common_scale_db([levels]))
    image = figure.axes[0].images[0]
    assert tuple(image.get_extent()[:2]) == (0.0, 2.0)
    assert image.origin == "lower"
    shown = np.asarray(image.get_array())
    half = shown.shape[1] // 2
    assert shown[:, half + 2 :].max() > shown[:, : half - 2].max() + 30
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ticks = dict(zip(names, figure.axes[0].get_yticks(), strict=True))
    assert ticks["2 k"] == pytest.approx(pictures.scale.bin_of(2000))


def test_one_scale_for_all_spans_seventy_decibels_at_most():
    random = np.random.default_rng(0)
    quiet, loud = random.uniform(-120, -60, (8, 50)), random.uniform(-30, 0, (8, 50))
    low, high = common_scale_db([quiet, loud])
    assert -0.5 < high <= 0
    assert low == high - 70
    low, high = common_scale_db([np.zeros((4, 4))])
    assert low < high


def test_long_clips_are_averaged_and_short_ones_left_alone():
    levels = np.arange(12, dtype=np.float32)[None].repeat(2, 0)
    np.testing.assert_array_equal(averaged(levels, 4)[0], [1, 4, 7, 10])
    assert averaged(levels, 12) is levels
    assert averaged(np.ones((3, 1000), np.float32), 240).shape == (3, 240)


def test_sound_comes_back_as_it_was_and_ends_after_ten_seconds():
    samples = (0.5 * np.sin(np.arange(12 * 8000) / 20)).astype(np.float32)
    address = wav_address(samples, 8000)
    kind, _, encoded = address.partition(",")
    assert kind == "data:audio/wav;base64"
    read, rate = soundfile.read(io.BytesIO(base64.b64decode(encoded)))
    assert (rate, read.shape) == (8000, (80000,))
    np.testing.assert_allclose(read, samples[:80000], atol=1e-4)


def test_what_cannot_be_read_says_why(tmp_path, write_wav):
    pictures = LogMelPictures(frontend())
    with pytest.raises(BadRecording, match="cannot be read: No such file"):
        pictures.read(tmp_path / "gone.wav")
    with pytest.raises(BadRecording, match="too short"):
        pictures.read(write_wav(tmp_path / "short.wav", seconds=0.01))
