import numpy as np
import pytest
import torch
from torchaudio.transforms import MelSpectrogram

import asdbench
from asdbench.core.errors import UsageError


def slaney_hz_to_mel(hz):
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / np.log(6.4))


def slaney_mel_to_hz(mel):
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def log_mel_by_definition(samples, n_fft=2048, hop=512, n_mels=128, rate=16000, edges="reflect"):
    """Written out with NumPy: padded edges, periodic Hann window, triangles of unit area on Slaney's mel scale."""
    padded = np.pad(samples, n_fft // 2, mode=edges)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    frames = np.stack([padded[i : i + n_fft] for i in range(0, len(padded) - n_fft + 1, hop)])
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    corners = slaney_mel_to_hz(np.linspace(0, slaney_hz_to_mel(rate / 2), n_mels + 2))
    frequencies = np.arange(n_fft // 2 + 1) * rate / n_fft
    rising = (frequencies - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - frequencies) / (corners[2:] - corners[1:-1])[:, None]
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (corners[2:] - corners[:-2]))[:, None]
    return 10 * np.log10(np.maximum(filters @ power.T, 1e-12))


def test_log_mel_is_its_definition():
    samples = 0.1 * np.random.default_rng(0).standard_normal(16000)
    given = asdbench.build("log-mel")(torch.tensor(samples[None], dtype=torch.float32))
    assert given.shape == (1, 1, 128, 1 + 16000 // 512)
    assert np.abs(given[0, 0].numpy() - log_mel_by_definition(samples)).max() < 1e-2


def test_ten_seconds_give_the_papers_313_frames():
    assert asdbench.build("log-mel")(torch.zeros(2, 160000)).shape == (2, 1, 128, 313)


def test_silence_stays_at_the_floor():
    assert torch.all(asdbench.build("log-mel", floor_db=-90.0)(torch.zeros(1, 16000)) == -90.0)


def test_an_upper_edge_above_half_the_sample_rate_is_refused():
    with pytest.raises(UsageError, match=r"log-mel\.f_max_hz is 9000"):
        asdbench.build("log-mel", f_max_hz=9000.0)


def test_edges_may_be_filled_with_zeros():
    samples = 0.1 * np.random.default_rng(0).standard_normal(16000)
    given = asdbench.build("log-mel", edges="zeros")(torch.tensor(samples[None], dtype=torch.float32))
    assert np.abs(given[0, 0].numpy() - log_mel_by_definition(samples, edges="constant")).max() < 1e-2


@pytest.mark.parametrize(
    ("params", "theirs"),
    [
        ({}, {}),
        ({"n_fft": 1024, "edges": "zeros"}, {"n_fft": 1024, "pad_mode": "constant"}),
        ({"power": 1.0, "mel_scale": "htk", "mel_norm": "none"}, {"power": 1.0, "mel_scale": "htk", "norm": None}),
        ({"n_mels": 300, "hop": 333, "n_fft": 512}, {"n_mels": 300, "hop_length": 333, "n_fft": 512}),
        ({"f_min_hz": 200.0, "f_max_hz": 4000.0}, {"f_min": 200.0, "f_max": 4000.0}),
    ],
)
@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
def test_it_is_torchaudios_spectrogram_to_the_last_digits(params, theirs):
    asked = {"n_fft": 2048, "hop_length": 512, "n_mels": 128, "norm": "slaney", "mel_scale": "slaney"} | theirs
    waveform = 0.1 * torch.randn(2, 50000, generator=torch.Generator().manual_seed(0))
    scale = 20 / asked.get("power", 2)
    levels = scale * MelSpectrogram(sample_rate=16000, **asked)(waveform).clamp_min(10.0 ** (-120 / scale)).log10()
    assert (asdbench.build("log-mel", **params)(waveform)[:, 0] - levels).abs().max() < 2e-5


def test_a_clip_gives_the_same_bits_alone_in_a_batch_and_by_any_number_of_threads():
    waveform = 0.1 * torch.randn(5, 80000, generator=torch.Generator().manual_seed(0))
    frontend, before = asdbench.build("log-mel"), torch.get_num_threads()
    given = frontend(waveform)
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            for clip, together in zip(waveform, given, strict=True):
                assert torch.equal(frontend(clip[None])[0], together)
    finally:
        torch.set_num_threads(before)
