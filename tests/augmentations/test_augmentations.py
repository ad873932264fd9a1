import numpy as np
import pytest
import torch

import asdbench
from asdbench.augmentations.pitch_shift import shift_pitch, simple_ratio

RATE = 16000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def tone(frequency, seconds=2.0):
    return torch.sin(2 * torch.pi * frequency * torch.arange(int(seconds * RATE)) / RATE)


def loudest_hz(samples):
    window = np.hanning(len(samples))
    return float(np.argmax(np.abs(np.fft.rfft(samples.numpy() * window, 8 * len(samples))))) * RATE / (8 * len(samples))


@pytest.mark.parametrize("semitones", [-12, -9.3, -5, -1, -0.5, 0.5, 1, 2.7, 7, 11.2, 12])
def test_pitch_moves_by_the_stated_ratio(semitones):
    ratio = simple_ratio(2 ** (semitones / 12))
    shifted = shift_pitch(tone(1000), ratio)
    assert float(ratio) == pytest.approx(2 ** (semitones / 12), rel=0.01)
    assert len(shifted) == 2 * RATE
    assert loudest_hz(shifted[4000:-4000]) == pytest.approx(1000 * 2 ** (semitones / 12), rel=0.01)


def test_half_of_the_copies_are_lowered_and_half_raised():
    shift = asdbench.build("pitch-shift")
    found = [loudest_hz(copy[4000:-4000]) for copy in shift(tone(1000).repeat(8, 1), generator())]
    assert all(500 * 0.98 <= hz < 1000 for hz in found[0::2])
    assert all(1000 < hz <= 2000 * 1.02 for hz in found[1::2])


def test_noise_lies_between_the_stated_levels():
    batch = tone(700).repeat(64, 1) * torch.linspace(0.01, 1, 64)[:, None]
    noise = asdbench.build("gaussian-noise")(batch, generator()) - batch
    level_db = 10 * torch.log10(noise.square().mean(1) / batch.square().mean(1))
    assert level_db.min() > -24.5
    assert level_db.max() < -5.5
    assert level_db.max() - level_db.min() > 12


@pytest.mark.parametrize("level_db", [-24.0, -12.0, -6.0])
def test_noise_has_the_stated_level_within_half_a_decibel(level_db):
    batch = torch.stack([tone(700), 0.02 * tone(1234)])
    noise = asdbench.build("gaussian-noise", min_level_db=level_db, max_level_db=level_db)(batch, generator()) - batch
    snr_db = 10 * torch.log10(batch.square().mean(1) / noise.square().mean(1))
    assert torch.allclose(snr_db, torch.full((2,), -level_db), atol=0.5)


def test_masks_without_jitter_have_the_stated_length_within_a_frame():
    mask = asdbench.build("time-mask", jitter=0.0)
    mask.rate_hz = RATE / 512
    batch = torch.randn(16, 1, 16, 313, generator=generator(1))
    frames = (mask(batch, generator()) != batch).all(dim=2)[:, 0].sum(dim=1)
    assert ((frames[0::2] - 0.5 * mask.rate_hz).abs() <= 1).all()
    assert ((frames[1::2] - 1.0 * mask.rate_hz).abs() <= 1).all()


def test_masks_are_about_500_and_1000_ms_long():
    mask = asdbench.build("time-mask")
    mask.rate_hz = RATE / 512
    batch = torch.randn(32, 1, 16, 313, generator=generator(1))
    masked = mask(batch, generator())
    lengths = (masked != batch).all(dim=2)[:, 0].sum(dim=1) / mask.rate_hz
    assert ((lengths[0::2] - 0.5).abs() <= 0.05 + 1 / mask.rate_hz).all()
    assert ((lengths[1::2] - 1.0).abs() <= 0.1 + 1 / mask.rate_hz).all()
    for before, after in zip(batch, masked, strict=True):
        changed = after[after != before]
        assert torch.allclose(changed, before.mean().expand_as(changed))


def test_a_mask_never_takes_more_than_half_of_a_short_clip():
    mask = asdbench.build("time-mask")
    mask.rate_hz = RATE / 512
    batch = torch.randn(4, 1, 8, 11)
    assert ((mask(batch, generator()) != batch).all(dim=2)[:, 0].sum(dim=1) <= 5).all()


@pytest.mark.parametrize("name", ["pitch-shift", "gaussian-noise", "time-mask"])
def test_the_same_generator_gives_the_same_copies(name):
    augmentation = asdbench.build(name)
    shape = (4, 8000) if augmentation.works_on == "waveform" else (4, 1, 16, 100)
    batch = torch.randn(shape, generator=generator(3))
    kept = batch.clone()
    first, again, other = (augmentation(batch, generator(seed)) for seed in (5, 5, 6))
    assert first.shape == batch.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(batch, kept), "the batch itself must stay as it is"
