import numpy as np
import pytest
import soundfile

from asdbench.datasets.audio import BadRecording, decode, read_audio

RATE = 16000


def tone(frequency, rate=RATE, seconds=1.0, level=0.3):
    return level * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_samples_come_back_as_written(tmp_path, ending):
    samples = tone(440)
    soundfile.write(tmp_path / f"a.{ending}", samples, RATE, subtype="PCM_16")
    read = read_audio(tmp_path / f"a.{ending}", RATE, "0")
    assert read.dtype == np.float32
    assert np.abs(read - samples).max() < 1 / 32768


def test_resampling_keeps_frequency_level_and_length(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(1000, 44100), 44100)
    read = read_audio(tmp_path / "a.wav", RATE, "0")
    assert len(read) == RATE
    spectrum = np.abs(np.fft.rfft(read * np.hanning(len(read))))
    assert np.argmax(spectrum) == 1000
    assert np.sqrt(np.mean(read[1000:-1000] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.01)


def test_channels_by_the_stated_rule(tmp_path):
    left, right = tone(300), tone(900)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    assert np.allclose(read_audio(tmp_path / "a.wav", RATE, "0"), left, atol=1e-6)
    assert np.allclose(read_audio(tmp_path / "a.wav", RATE, "1"), right, atol=1e-6)
    assert np.allclose(read_audio(tmp_path / "a.wav", RATE, "mean"), (left + right) / 2, atol=1e-6)
    with pytest.raises(BadRecording, match=r"has 2 channel\(s\), no channel 3"):
        read_audio(tmp_path / "a.wav", RATE, "3")


def truncated_wav(path):
    soundfile.write(path, tone(440), RATE, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:20000])


def truncated_flac(path):
    flac = path.with_name("whole.flac")
    soundfile.write(flac, 0.1 * np.random.default_rng(0).standard_normal(RATE), RATE)
    path.write_bytes(flac.read_bytes()[: flac.stat().st_size // 2])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_text("#!/bin/sh\necho this is no recording\n"), "cannot be decoded"),
        (truncated_wav, "truncated"),
        (truncated_flac, "cannot be decoded|truncated"),
        (lambda path: soundfile.write(path, np.zeros(0), RATE), "no samples"),
        (lambda path: soundfile.write(path, np.zeros(RATE), RATE), "silent"),
        (lambda path: soundfile.write(path, np.full(RATE, 0.25), RATE), "silent"),
        (lambda path: soundfile.write(path, np.r_[tone(440), np.nan], RATE, subtype="FLOAT"), "not numbers"),
        (lambda path: soundfile.write(path, np.r_[tone(440), np.inf], RATE, subtype="FLOAT"), "not numbers"),
    ],
)
def test_unusable_recordings_say_why(tmp_path, spoil, words):
    path = tmp_path / "a.wav"
    spoil(path)
    with pytest.raises(BadRecording, match=words):
        read_audio(path, RATE, "0")


@pytest.mark.parametrize(
    ("ending", "subtype"),
    [("wav", "PCM_16"), ("flac", "PCM_16"), ("wav", "PCM_24"), ("wav", "PCM_U8"), ("wav", "FLOAT"), ("wav", "ULAW")],
)
def test_samples_are_those_that_libsndfile_gives_as_float32(tmp_path, ending, subtype):
    noise = np.random.default_rng(0).uniform(-1, 1, (5000, 2))
    noise[0] = -1, 1
    soundfile.write(tmp_path / f"a.{ending}", noise, RATE, subtype=subtype)
    assert np.array_equal(
        decode(tmp_path / f"a.{ending}")[0], soundfile.read(tmp_path / f"a.{ending}", dtype="float32")[0]
    )
