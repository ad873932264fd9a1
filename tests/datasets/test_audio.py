import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile

from asdbench.datasets import audio
from asdbench.datasets.audio import BadRecording, decode, read_audio, read_header

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
    ("spoil", "message"),
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
def test_unusable_recordings_say_why(tmp_path, spoil, message):
    path = tmp_path / "a.wav"
    spoil(path)
    with pytest.raises(BadRecording, match=message):
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


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("odd", [0, 1], ids=["whole samples", "a byte more"])
def test_plain_samples_need_no_decoder_and_are_the_same(tmp_path, monkeypatch, channels, odd):
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, (500, channels), dtype="<i2")
    form = struct.pack("<HHIIHH", 1, channels, RATE, 2 * channels * RATE, 2 * channels, 16)
    data = noise.tobytes() + b"\1" * odd
    chunks = [(b"fmt ", form), (b"data", data), (b"LIST", b"INFO")]
    body = b"".join(name + len(text).to_bytes(4, "little") + text + b"\0" * (len(text) % 2) for name, text in chunks)
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WAVE" + body)
    expected, info = soundfile.read(path, dtype="float32", always_2d=True)[0], soundfile.info(path)

    monkeypatch.setattr(soundfile.SoundFile, "__init__", None)
    samples, rate = decode(path)
    assert rate == RATE
    assert samples.dtype == np.float32
    assert np.array_equal(samples, expected)
    header = read_header(path)
    assert (header.rate_hz, header.channels, header.seconds) == (RATE, channels, info.frames / RATE)


def written(samples, rate=RATE, **form):
    """Bytes of a sound file as libsndfile writes it."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **form)
    return bytearray(file.getvalue())


NOISE = np.random.default_rng(0).integers(-5000, 5000, 12000, dtype=np.int16)


def wav(data=None, riff=None, after=b"", form="WAV"):
    """A 16-bit WAV file, with other sizes in its header than it has, and with something after the sound."""
    content = written(NOISE, format=form, subtype="PCM_16") + after
    place = content.index(b"data") + (16 if form == "W64" else 4)
    if form == "RF64":
        place = content.index(b"ds64") + 16
    if data is not None:
        content[place : place + (4 if form == "WAV" else 8)] = data.to_bytes(4 if form == "WAV" else 8, "little")
    if riff is not None:
        content[4:8] = riff.to_bytes(4, "little")
    return content


def flac(frames=None):
    """A FLAC file whose header announces some number of samples."""
    content = written(NOISE, format="FLAC", subtype="PCM_16")
    if frames is not None:
        content[21] &= 0xF0
        content[22:26] = frames.to_bytes(4, "big")
    return content


@pytest.mark.parametrize(
    "content",
    [
        wav(0xFFFFFFFF, 0xFFFFFFFF),  # ffmpeg
        wav(0x7FFFF000, 0x7FFFF024),  # sox
        wav(0, 36),  # GStreamer, Python's wave
        wav(0, 0),
        wav(riff=0),
        wav(riff=100),
        wav(form="RF64"),
        wav(0, form="RF64"),
        wav(2**64 - 1, form="RF64"),
        wav(form="W64"),
        wav(24, form="W64"),
        wav(2**64 - 1, form="W64"),
        wav(after=b"LIST\x04\0\0\0INFO"),
        wav(after=b"id3 \x03\0\0\0abc\0LIST\x04\0\0\0INFO"),
        b"ID3\x03\0\0\0\0\0\x05hello" + wav(0xFFFFFFFF),
        flac(),
        flac(0),
        b"ID3\x03\0\0\0\0\0\x05hello" + flac(0),
    ],
)
def test_whole_recordings_are_read_whole_whatever_their_header_leaves_open(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    whole = soundfile.read(io.BytesIO(written(NOISE, format="WAV", subtype="PCM_16")), dtype="float32")[0]
    samples, rate = decode(path)
    assert np.array_equal(samples[:, 0], whole)
    assert rate == RATE
    assert read_header(path) == audio.Header(RATE, 1, 0.75)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wav(12000), "announces 12000 bytes of sound, but 12000 follow.*sox --ignore-length"),
        (wav(12000, 12036), "announces 12000 bytes of sound, but 12000 follow.*sox --ignore-length"),
        (wav(12000, 0xFFFFFFFF), "announces 12000 bytes of sound, but 12000 follow.*sox --ignore-length"),
        (wav(12000, form="RF64"), "announces 12000 bytes of sound, but 12000 follow"),
        (wav(12024, form="W64"), "announces 12000 bytes of sound, but 12000 follow"),
        (wav(after=b"data\x04\0\0\0abcd"), "announces 24000 bytes of sound, but 12 follow"),
        (wav()[:-1000], "truncated: the header announces 24000 bytes of sound, the file holds 23000; copy"),
        (wav(form="RF64")[:-1000], "truncated"),
        (wav(form="W64")[:-1000], "truncated"),
        (wav()[:30], "cannot be decoded as audio.*copy"),
        (flac(6000), "announces 6000 samples, the file holds 12000; copy or encode it again"),
        (flac(24000), "truncated: it announces 24000 samples, the file holds 12000"),
        (flac(0)[:-5000], "cannot be decoded as audio.*copy it again"),
        (flac()[:20], "the FLAC header is damaged"),
        (written(NOISE, format="OGG"), "neither WAV nor FLAC"),
    ],
)
def test_no_part_of_a_recording_is_lost_without_a_word(tmp_path, content, message):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(BadRecording, match=message):
        decode(path)
    if content[:4] != b"fLaC":
        with pytest.raises(BadRecording, match=message):
            read_header(path)


@pytest.mark.parametrize(
    "subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "ALAW", "ULAW", "G721_32", "NMS_ADPCM_16", "PCM_24", "DOUBLE"]
)
def test_codecs_of_wav_files_are_read_in_blocks(tmp_path, subtype, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, NOISE, 8000, subtype=subtype)
    with soundfile.SoundFile(path) as file:
        whole = file.read(file.frames, dtype="float32")
    monkeypatch.setattr(audio, "BLOCK", 1000)
    samples, rate = decode(path)
    assert np.array_equal(samples[:, 0], whole)
    assert rate == 8000
    assert len(whole) >= 12000


@pytest.mark.parametrize("rate", [1, 1999, 768_001, 10_000_000, 2**31 - 1])
def test_rates_that_no_recorder_has_are_refused_before_anything_is_made_of_them(tmp_path, rate):
    path = tmp_path / "a.wav"
    soundfile.write(path, NOISE, rate, subtype="PCM_16")
    with pytest.raises(BadRecording, match=f"has a sample rate of {rate} Hz; recorders have 2000 to 768000"):
        read_header(path)
    with pytest.raises(BadRecording, match=f"has a sample rate of {rate} Hz; recorders have 2000 to 768000"):
        read_audio(path, RATE, "0")


def test_rates_without_a_common_divisor_do_not_fill_the_memory(tmp_path):
    soundfile.write(tmp_path / "a.wav", NOISE, 44_101)
    tracemalloc.start()
    with pytest.raises(BadRecording, match=f"too little in common with {RATE} Hz; resample it first.*sox"):
        read_audio(tmp_path / "a.wav", RATE, "0")
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()
    soundfile.write(tmp_path / "a.wav", NOISE, 44_100)
    assert len(read_audio(tmp_path / "a.wav", RATE, "0")) == -(-12000 * RATE // 44_100)


def test_absurd_forms_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.tile(NOISE[:, None], 300)[:100], RATE)
    with pytest.raises(BadRecording, match="has 300 channels; accepted are 1 to 128"):
        decode(path)
    soundfile.write(path, np.r_[NOISE / 2**15, 1e12], RATE, subtype="FLOAT")
    with pytest.raises(BadRecording, match="beyond 2147483648 times full scale"):
        read_audio(path, RATE, "0")
    path.write_bytes(flac(0))
    monkeypatch.setattr(audio, "MOST_SAMPLES", 5000)
    monkeypatch.setattr(audio, "BLOCK", 1000)
    with pytest.raises(BadRecording, match="holds more than 5000 samples; cut it into clips"):
        decode(path)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("odd"), "cannot be decoded as audio: odd; convert it"),
        (ValueError("odd"), "cannot be decoded as audio: odd; convert it"),
        (OverflowError("odd"), "cannot be decoded as audio: odd; convert it"),
        (struct.error("odd"), "cannot be decoded as audio: odd; convert it"),
        (MemoryError(), "does not fit into memory"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
    ],
)
def test_whatever_a_decoder_raises_is_a_reason(tmp_path, monkeypatch, error, message):
    path = tmp_path / "a.flac"
    path.write_bytes(flac())

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(soundfile.SoundFile, "__init__", fail)
    for read in (decode, read_header):
        with pytest.raises(BadRecording, match=message):
            read(path)


@pytest.mark.parametrize(("place", "form", "value"), [(22, "<H", 2), (34, "<H", 8), (24, "<I", 44100)])
def test_a_header_that_contradicts_itself_is_refused(place, form, value, write_wav, tmp_path):
    """Channels, bits and rate stand in it twice, the second time as bytes of a sample and of a second."""
    path = write_wav(tmp_path / "x.wav")
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, place, value)
    path.write_bytes(content)
    with pytest.raises(BadRecording, match="the header contradicts itself"):
        read_audio(path, RATE, "0")
