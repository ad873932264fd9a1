import numpy as np
import pytest
import torch

import asdbench
from asdbench.core.errors import UsageError

SIZES = ["32x32", "64x64", "128x128", "192x192", "384x384", "1025x313"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seconds", [2.0, 10.0, 11.03])
def test_every_size_of_the_papers_table_for_clips_of_any_length(size, seconds):
    waveform = torch.randn(2, int(seconds * 16000), generator=torch.Generator().manual_seed(0))
    bins, frames = map(int, size.split("x"))
    assert asdbench.build("mel-image", spectrogram=size, image=0)(waveform).shape == (2, 1, bins, frames)
    assert asdbench.build("mel-image", spectrogram=size)(waveform).shape == (2, 1, 128, 128)


def test_before_resizing_it_is_the_log_mel_spectrogram_where_sizes_agree():
    """10 s make 384 frames with a hop of 417 samples."""
    waveform = torch.randn(1, 160000, generator=torch.Generator().manual_seed(1))
    image = asdbench.build("mel-image", spectrogram="384x384", image=0)(waveform)
    log_mel = asdbench.build("log-mel", hop=417, n_mels=384)(waveform)
    assert torch.allclose(image, log_mel, atol=1e-3)


def test_the_linear_spectrogram_is_that_of_the_windows():
    waveform = torch.randn(1, 160000, generator=torch.Generator().manual_seed(2))
    image = asdbench.build("mel-image", spectrogram="1025x313", image=0)(waveform)[0, 0].numpy()
    samples = waveform[0].double().numpy()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    for frame in (10, 200):
        middle = frame * 512
        power = np.abs(np.fft.rfft(samples[middle - 1024 : middle + 1024] * window)) ** 2
        assert np.allclose(image[:, frame], 10 * np.log10(power), atol=1e-2)


def test_no_sample_goes_unheard_in_few_frames():
    """At 32 frames for 10 s a hop is longer than the window; a click between windows must show all the same."""
    silent = torch.zeros(1, 160000)
    image = asdbench.build("mel-image", spectrogram="32x32", image=0)
    for place in range(20000, 140000, 1777):
        clicked = silent.clone()
        clicked[0, place] = 1.0
        assert (image(clicked) > image(silent) + 20).any(), place


def test_resizing_keeps_the_level():
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(160000) / 16000)[None]
    large, small = (asdbench.build("mel-image", image=side)(tone) for side in (0, 128))
    assert float(small.mean()) == pytest.approx(float(large.mean()), abs=0.5)


def test_a_window_that_does_not_make_the_linear_size_is_refused():
    with pytest.raises(UsageError, match=r"1025x313 takes a window of 2048 samples, and n_fft is 1024"):
        asdbench.build("mel-image", spectrogram="1025x313", n_fft=1024)
