import pytest
import torch
import torchaudio

from asdbench.core.errors import UsageError
from asdbench.extractors.classification.branches import SpectrogramBranch, SpectrumBranch, checked

RATE = 16000


def clips(count=3, samples=6000):
    return torch.randn(count, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("n_fft", "bins"), [(256, 125), (1024, 500), (4096, 1997)])
def test_the_spectrogram_is_torchaudios_from_200_hz_without_its_mean(n_fft, bins):
    branch = SpectrogramBranch(n_fft, RATE, 200.0, True, False, 8)
    theirs = torchaudio.transforms.Spectrogram(n_fft, hop_length=n_fft // 2, power=1.0, center=False)(clips())
    theirs = theirs[:, -bins:].transpose(1, 2)
    expected = theirs - theirs.mean(1, keepdim=True)
    assert torch.allclose(branch.spectrogram(clips()), expected, atol=1e-3)
    lowest = (n_fft // 2 + 1 - bins) * RATE / n_fft
    assert 200.0 <= lowest < 200.0 + RATE / n_fft


def test_the_spectrum_is_that_of_the_whole_clip():
    branch = SpectrumBranch(6000, False, 8)
    expected = torch.fft.fft(clips().double()).abs()[:, :3000]
    assert torch.allclose(branch.spectrum(clips()).double(), expected, atol=1e-2)


def test_longer_clips_are_read_in_parts_that_cover_them_and_shorter_ones_are_repeated():
    branch, long = SpectrumBranch(6000, False, 8), clips(2, 14000)
    parts = [torch.fft.rfft(long[:, start : start + 6000]).abs()[:, :3000] for start in (0, 4000, 8000)]
    assert torch.allclose(branch.spectrum(long), sum(parts) / 3, rtol=1e-4, atol=1e-3)
    short = clips(2, 2500)
    assert torch.equal(branch.spectrum(short), branch.spectrum(short.repeat(1, 3)[:, :6000]))


@pytest.mark.parametrize("squeeze", [True, False])
def test_branches_have_no_bias_and_give_their_dimensions_for_clips_of_any_length(squeeze):
    for branch in (SpectrogramBranch(1024, RATE, 200.0, True, squeeze, 12), SpectrumBranch(6000, squeeze, 12)):
        assert not [name for name, _ in branch.named_parameters() if "bias" in name]
        for samples in (300, 6000, 20000):
            assert branch(clips(3, samples)).shape == (3, 12)


def test_a_gradient_reaches_every_weight():
    for branch in (SpectrogramBranch(256, RATE, 200.0, True, False, 8), SpectrumBranch(6000, False, 8)):
        branch(clips(6)).square().sum().backward()
        for name, weight in branch.named_parameters():
            assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("names", [["stft"], ["stft-12"], ["stft-1024", "stft-1024"], [], ["mel"]])
def test_wrong_branches_are_refused(names):
    with pytest.raises(UsageError, match=r"-p attribute-classifier\.branches="):
        checked(names)


def test_a_lowest_frequency_above_all_is_refused():
    with pytest.raises(UsageError, match=r"9000 Hz leaves nothing of recordings at 16000 Hz"):
        SpectrogramBranch(1024, RATE, 9000.0, True, False, 8)
