import copy

import pytest
import torch
import torchaudio
from torch.nn import functional

from asdbench.core.errors import UsageError
from asdbench.extractors.classification.branches import SpectrogramBranch, SpectrumBranch, checked
from asdbench.extractors.classification.mixing import StatisticsExchange

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


EXCHANGE = StatisticsExchange(torch.tensor([1, 2, 0]), torch.tensor([True, False, True]), 1)


def test_statistics_are_exchanged_before_the_mean_is_taken_off():
    """Of each bin the partner's deviation is left: its mean goes with the clip's own."""
    whole, less = (SpectrogramBranch(256, RATE, 200.0, off, False, 8) for off in (False, True))
    loud = clips() * torch.tensor([1.0, 2.0, 3.0])[:, None]
    magnitudes, exchanged = whole.spectrogram(loud), whole.spectrogram(loud, EXCHANGE)
    for row, partner in ((0, 1), (1, 1), (2, 0)):
        for statistic in (torch.mean, torch.std):
            expected = statistic(magnitudes[partner], 0)
            assert torch.allclose(statistic(exchanged[row], 0), expected, rtol=1e-3)
    assert torch.equal(less.spectrogram(loud, EXCHANGE), exchanged - exchanged.mean(1, keepdim=True))


def test_a_gradient_reaches_every_weight_through_exchanged_statistics():
    branch = SpectrogramBranch(256, RATE, 200.0, True, False, 8)
    rows, plain = branch(clips(), EXCHANGE), branch(clips())
    assert not torch.allclose(rows, plain)
    rows.square().sum().backward()
    for name, weight in branch.named_parameters():
        assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("names", [["stft"], ["stft-12"], ["stft-1024", "stft-1024"], [], ["mel"]])
def test_wrong_branches_are_refused(names):
    with pytest.raises(UsageError, match=r"-p attribute-classifier\.branches="):
        checked(names)


def test_a_lowest_frequency_above_all_is_refused():
    with pytest.raises(UsageError, match=r"9000 Hz leaves nothing of recordings at 16000 Hz"):
        SpectrogramBranch(1024, RATE, 9000.0, True, False, 8)


def plainly(branch, waveforms, n_fft, lowest):
    """What a spectrogram branch computes, by torch's functions one after the other."""

    def normalised(values):
        return functional.batch_norm(values, None, None, training=True)

    spectra = torch.stft(
        waveforms, n_fft, n_fft // 2, window=torch.hann_window(n_fft), center=False, return_complex=True
    )
    magnitudes = spectra.abs()[:, lowest:]
    magnitudes = normalised(magnitudes - magnitudes.mean(2, keepdim=True))
    images = functional.conv2d(magnitudes.transpose(1, 2)[:, None], branch.stem.weight, stride=2, padding=3)
    images = functional.max_pool2d(functional.relu(normalised(images)), 3, 2, 1)
    for number, block in enumerate(branch.blocks):
        stride = 2 if number in (2, 4, 6) else 1
        first = normalised(images)
        rest = functional.conv2d(functional.relu(first), block.convolution.weight, stride=stride, padding=1)
        rest = functional.conv2d(functional.relu(normalised(rest)), block.last[0].weight, padding=1)
        images = rest + (
            first if stride == 1 else functional.conv2d(functional.max_pool2d(first, 3, 2, 1), block.skip.weight)
        )
    return normalised(images.amax(2).flatten(1)) @ branch.dense.weight.T


def test_a_branch_is_what_torchs_layers_compute_with_the_same_gradients():
    torch.manual_seed(0)
    branch = SpectrogramBranch(256, RATE, 200.0, True, False, 8).to(memory_format=torch.channels_last)
    first, second = branch(clips(6)), plainly(branch, clips(6), 256, 4)
    assert torch.allclose(first, second, rtol=1e-3, atol=1e-4)
    towards = torch.randn(6, 8)
    weights = list(branch.parameters())
    ours, theirs = (torch.autograd.grad((rows * towards).sum(), weights) for rows in (first, second))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.linalg.vector_norm(one - other) <= 0.01 * torch.linalg.vector_norm(other)


@pytest.mark.parametrize("training", [True, False])
def test_the_layers_that_a_gpu_takes_compute_the_same(monkeypatch, training):
    torch.manual_seed(0)
    branch = SpectrogramBranch(256, RATE, 200.0, True, True, 8).to(memory_format=torch.channels_last)
    branch(clips(6))
    other = copy.deepcopy(branch)
    ours = branch.train(training)(clips(6))
    for module in ("layers", "stem"):
        monkeypatch.setattr(f"asdbench.extractors.classification.{module}.by_torch", lambda images: True)
    assert torch.allclose(ours, other.train(training)(clips(6)), rtol=1e-3, atol=1e-4)
    for name, value in branch.state_dict().items():
        assert torch.allclose(value, other.state_dict()[name], rtol=1e-3, atol=1e-5), name
