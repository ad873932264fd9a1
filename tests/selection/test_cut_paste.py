import numpy as np
import pytest
from scipy.signal import stft

from asdbench.datasets import TrainingClip
from asdbench.datasets.folds import folds
from asdbench.selection import cut_paste, outlier_features
from asdbench.selection.pasted import hosts

RATE = 16000


def noise(seed, samples=2 * RATE):
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def test_a_patch_is_replaced_and_the_rest_is_the_clip():
    waveform, donor = noise(0), noise(1)
    areas, gains = [], []
    for seed in range(30):
        pasted = cut_paste(waveform, donor, np.random.default_rng(seed))
        assert pasted.shape == waveform.shape
        assert pasted.dtype == np.float32
        before, after = (stft(one, nperseg=1024)[2] for one in (waveform, pasted))
        changed = np.abs(after - before) > 0.02 * np.abs(before).mean()
        areas.append(changed.mean())
        gains.append(10 * np.log10(np.sum(np.abs(after[changed]) ** 2) / np.sum(np.abs(before[changed]) ** 2)))
    assert min(areas) > 0.015
    assert max(areas) < 0.25  # the patch, and the frames and bins that its edges leak into
    assert np.median(areas) < 0.14
    assert -6 <= min(gains) < -2
    assert 2 < max(gains) <= 6


def test_a_patch_comes_from_the_donor():
    silent = np.zeros(RATE, np.float32)
    assert np.abs(cut_paste(noise(0), silent, np.random.default_rng(0))).sum() < np.abs(noise(0)).sum()
    tone = np.sin(2 * np.pi * 2000 * np.arange(RATE) / RATE).astype(np.float32)
    assert not np.array_equal(
        cut_paste(noise(0), tone, np.random.default_rng(0)), cut_paste(noise(0), noise(1), np.random.default_rng(0))
    )


@pytest.mark.parametrize(("samples", "others"), [(300, 20000), (20000, 300), (1025, 1024), (1, 1)])
def test_clips_of_any_length_are_taken(samples, others):
    pasted = cut_paste(noise(0, samples), noise(1, others), np.random.default_rng(0))
    assert pasted.shape == (samples,)
    assert np.isfinite(pasted).all()


class Ears:
    """A front end that hands on the samples."""

    sample_rate_hz, channel, frame_rate_hz, min_samples = RATE, "0", 16000.0, 1

    def __call__(self, waveform):
        return waveform[:, None, None, :]


def test_outliers_are_spread_over_the_clips_and_the_same_for_any_number_of_jobs():
    clips = [TrainingClip(f"k{place}", "fan", "00", "source", ()) for place in range(30)]
    waveforms = {clip.key: noise(place, 1100) for place, clip in enumerate(clips)}
    one, two, other = (
        list(outlier_features(clips, waveforms, Ears(), seed, jobs)) for seed, jobs in ((0, 1), (0, 4), (1, 1))
    )
    assert len(one) == 200
    counts = np.bincount([host for host, _ in one], minlength=30)
    assert set(counts.tolist()) == {6, 7}
    assert all(np.array_equal(first[1], second[1]) for first, second in zip(one, two, strict=True))
    assert not any(np.array_equal(first[1], second[1]) for first, second in zip(one, other, strict=True))
    assert len({features.tobytes() for _, features in one}) == 200


@pytest.mark.parametrize("count", [40, 200, 201, 250, 500, 990, 1000, 1500])
def test_every_fold_has_its_share_of_outliers(count):
    clips = [
        TrainingClip(f"{place:04d}", "fan", "00", "source" if place < count - 10 else "target", ())
        for place in range(count)
    ]
    made_of = np.array(hosts(clips))
    assert len(made_of) == 200
    assert np.bincount(folds(clips, attributes=True)[made_of], minlength=5).min() >= 38
    times = np.bincount(made_of, minlength=count)
    assert times.max() - times.min() <= 1, "no clip much oftener than another"
    if count <= 200:
        assert made_of.tolist() == sorted(made_of.tolist())
