import numpy as np
import pytest
import scipy.signal
import soundfile

from asdbench.datasets.audio import BadRecording, one_channel_at, read_audio
from asdbench.datasets.far_cancellation import hop_at, least_squares_gain, near_minus_far, short_time_spectrum

RATE = 16000


def pair(samples=2 * RATE, seed=0):
    """A tone near, noise far, which reaches the near microphone later and through a filter; and the tone alone."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal(samples)
    tone = 0.3 * np.sin(2 * np.pi * 1234 * np.arange(samples) / RATE)
    through = scipy.signal.lfilter([0, 0, 0, 0.6, 0.3, -0.2], [1, -0.5], noise)
    near, far = 0.1 * (tone + through), 0.1 * (noise + 0.01 * tone)
    return np.stack([near, far], axis=1).astype(np.float32), 0.1 * tone


def by_scipy(samples, hop):
    """The same windows with scipy: a window's length of zeros before and after, Hann, spectra (bins, frames)."""
    padded = np.pad(samples.astype(np.float64), (4 * hop, 4 * hop + -len(samples) % hop))
    return scipy.signal.stft(padded, window="hann", nperseg=4 * hop, noverlap=3 * hop, boundary=None, padded=False)[2]


@pytest.mark.parametrize(("rate", "samples"), [(RATE, 2 * RATE), (RATE, 20011), (22050, 30000), (8000, 999)])
def test_the_residual_is_that_of_least_squares_in_each_bin_of_scipys_transform(rate, samples):
    both, _ = pair(samples)
    hop = hop_at(rate)
    near, far = (by_scipy(channel, hop) for channel in both.T)
    gains = [np.linalg.lstsq(f[:, None], n, rcond=None)[0][0] for n, f in zip(near, far, strict=True)]
    residual = near - np.array(gains)[:, None] * far
    with pytest.warns(UserWarning, match="NOLA"):  # of the very first sample of the zeros
        expected = scipy.signal.istft(residual, window="hann", nperseg=4 * hop, noverlap=3 * hop, boundary=False)[1]
    found = near_minus_far(*both.T, rate)
    assert found.dtype == np.float32
    assert found.shape == (samples,)
    np.testing.assert_allclose(found, expected[4 * hop : 4 * hop + samples], atol=2e-6)
    own = least_squares_gain(*(short_time_spectrum(channel, hop) for channel in both.T))
    np.testing.assert_allclose(own, gains, rtol=1e-3, atol=1e-5)


def test_noise_that_both_hear_goes_and_the_machine_stays():
    both, tone = pair(4 * RATE)
    residual = near_minus_far(*both.T, RATE)
    noise_before, noise_after = (np.mean((one - tone) ** 2) for one in (both[:, 0], residual))
    assert noise_after < noise_before / 10
    assert np.dot(residual, tone) / np.dot(tone, tone) == pytest.approx(1, abs=0.1)


def test_channels_are_distinguished_by_their_order():
    both, tone = pair()
    residual = one_channel_at(RATE, "0-1", both, RATE)
    np.testing.assert_array_equal(one_channel_at(RATE, "1-0", both[:, ::-1], RATE), residual)
    np.testing.assert_array_equal(one_channel_at(RATE, "0-1", np.c_[both, tone].astype(np.float32), RATE), residual)
    assert not np.allclose(one_channel_at(RATE, "1-0", both, RATE), residual, atol=0.01)


def test_each_channel_is_resampled_first(tmp_path):
    both, _ = pair()
    soundfile.write(tmp_path / "a.wav", both, 48000, subtype="FLOAT")
    near, far = (read_audio(tmp_path / "a.wav", RATE, channel) for channel in "01")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE, "0-1"), near_minus_far(near, far, RATE))


@pytest.mark.parametrize("level", [0.0, 0.25])
@pytest.mark.parametrize("rate", [RATE, 48000])
def test_a_silent_far_channel_leaves_the_near_one_as_it_is(level, rate):
    both, _ = pair()
    both[:, 1] = level
    np.testing.assert_array_equal(one_channel_at(RATE, "0-1", both, rate), one_channel_at(RATE, "0", both, rate))


def spoilt(both, channel, value):
    both[100:, channel] = value
    return both


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda both: both[:, :1], r"has 1 channel\(s\); 0-1 takes two: one near the machine, one far"),
        (lambda both: both[:, [0, 0]], "nothing is left of channel 0 less channel 1: both hold the same"),
        (lambda both: np.c_[both[:, 0], -0.5 * both[:, 0]], "nothing is left"),
        (lambda both: spoilt(both, 0, np.nan), "not numbers"),
        (lambda both: spoilt(both, 1, np.inf), "not numbers"),
        (lambda both: 0 * both + [0, 1] * both, "silent"),
        (lambda both: both[:0], "no samples"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_recordings_that_cannot_be_used_say_why(spoil, message):
    with pytest.raises(BadRecording, match=message):
        one_channel_at(RATE, "0-1", spoil(pair()[0]).astype(np.float32), RATE)
