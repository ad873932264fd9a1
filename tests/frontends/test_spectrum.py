"""Sums in memory that is used again are those in memory of their own."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torchaudio.functional import melscale_fbanks

from asdbench.frontends.spectrum import FRAMES, FilteredSpectrum


def plainly(waveform, n_fft, filters, hop, power):
    """Frames, their spectra and the filters in one piece each, in double precision."""
    half = n_fft // 2
    padded = torch.cat([waveform[1 : half + 1].flip(0), waveform, waveform[-half - 1 : -1].flip(0)]).double()
    spectra = torch.fft.rfft(padded.unfold(0, n_fft, hop) * torch.hann_window(n_fft))
    return filters.double().T @ (spectra.abs() ** power).T


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_lengths_and_windows_in_turn(power):
    generator = torch.Generator().manual_seed(0)
    for n_fft, samples in [(1024, 9000), (512, 300), (1024, 600), (512, 256 * (FRAMES + 7)), (1024, 9000)]:
        filters = melscale_fbanks(n_fft // 2 + 1, 0.0, 8000.0, 32, 16000)
        waveform = torch.randn(samples, generator=generator)
        found = FilteredSpectrum(n_fft, filters, power)(waveform[None], 256)[0]
        torch.testing.assert_close(found.double(), plainly(waveform, n_fft, filters, 256, power), rtol=1e-4, atol=1e-3)


def test_threads_have_memory_of_their_own_and_modes_share_it():
    spectrum = FilteredSpectrum(512, melscale_fbanks(257, 0.0, 8000.0, 32, 16000))
    waveforms = torch.randn(40, 1, 20000, generator=torch.Generator().manual_seed(0))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: spectrum(one, 256), waveforms))
    assert all(torch.equal(one, spectrum(waveform, 256)) for one, waveform in zip(found, waveforms, strict=True))

    def in_both_modes():
        with torch.inference_mode():
            spectrum(waveforms[0], 256)
        return spectrum(waveforms[0], 256)

    with ThreadPoolExecutor(1) as pool:
        assert torch.equal(pool.submit(in_both_modes).result(), found[0])


def test_what_comes_before_changes_nothing():
    one, other = (FilteredSpectrum(512, melscale_fbanks(257, 0.0, 8000.0, count, 16000)) for count in (32, 40))
    waveforms = torch.randn(2, 20000, generator=torch.Generator().manual_seed(0))
    alone = [spectrum(waveforms[:1], 256) for spectrum in (one, other)]
    for _ in range(2):
        one(waveforms[:, :5000], 256)  # of another length
        together = one(waveforms, 256)
        assert torch.equal(together[:1], alone[0])
        assert not torch.equal(together[1:], alone[0])
        assert torch.equal(other(waveforms[:1], 256), alone[1])
