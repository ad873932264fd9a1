"""Power spectra through a bank of filters, in pieces that stay in the processor's cache."""

import threading

import torch
from torch import Tensor

# Frames at a time, a clip of 12 s at a hop of 512: many small steps make threads wait for the interpreter's lock, and
# longer recordings would go to memory and back. Fixed, because the last digits of a product may depend on its size.
FRAMES = 384
FILTERS = 16  # neighbouring filters that share one matrix product


class _Workspace(threading.local):
    """Memory of a thread for one piece, and views of it for the number of frames that came last.

    New memory for each piece takes the system twice as long as all the sums in it. At every view that is made, of
    which a piece needs two dozen, a thread gives up Python's lock and may have to wait until it gets it back.
    """

    n_fft = 0
    views_of: tuple["FilteredSpectrum | None", int] = (None, 0)

    def of(self, spectrum: "FilteredSpectrum", frames: int) -> "_Workspace":
        """The workspace, with views for so many frames."""
        if self.views_of != (spectrum, frames):
            with torch.inference_mode(False):  # what is made in that mode cannot be written to in another
                self._make_room(spectrum._n_fft)
                self._make_views(spectrum, frames)
            self.views_of = spectrum, frames
        return self

    def _make_room(self, n_fft: int) -> None:
        if self.n_fft != n_fft:
            self.n_fft = n_fft
            self._windowed = torch.empty(FRAMES, n_fft)
            self._power = torch.empty(FRAMES, n_fft // 2 + 1)

    def _make_views(self, spectrum: "FilteredSpectrum", frames: int) -> None:
        self.windowed, self.power = self._windowed[:frames], self._power[:frames]
        self.filtered = torch.empty(spectrum._count, frames)
        self.products = [
            (weights, self.power[:, bins].T, self.filtered[group]) for group, bins, weights in spectrum._bands
        ]


_workspace = _Workspace()


class FilteredSpectrum:
    """Frames of a waveform -> power spectrum -> filters: ``filters^T @ |STFT|^power``.

    Periodic Hann window, frames centred. One clip at a time, so that what a clip gives does not depend on what comes
    with it. Filters are applied only to the bins where they or one of their neighbours are not zero.

    Args:
        n_fft: length of the window (samples).
        filters: float32 (n_fft // 2 + 1, filters).
        power: exponent of the magnitude.
        edges: "reflect" or "constant" (zeros), what frames find beyond the clip.
    """

    def __init__(self, n_fft: int, filters: Tensor, power: float = 2.0, edges: str = "reflect") -> None:
        self._n_fft = n_fft
        self._power = power
        self._edges = edges
        self._window = torch.hann_window(n_fft)
        self._count = filters.shape[1]
        self._bands: list[tuple[slice, slice, Tensor]] = []
        for first in range(0, self._count, FILTERS):
            group = slice(first, min(first + FILTERS, self._count))
            used = filters[:, group].any(dim=1).nonzero()
            bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
            self._bands.append((group, bins, filters[bins, group].T.contiguous()))

    @torch.no_grad()
    def __call__(self, waveform: Tensor, hop: int) -> Tensor:
        """Float32 (batch, samples) -> float32 (batch, filters, 1 + samples // hop)."""
        result = waveform.new_empty(len(waveform), self._count, 1 + waveform.shape[-1] // hop)
        for samples, filtered in zip(waveform, result, strict=True):
            frames = self._padded(samples).unfold(0, self._n_fft, hop)
            for first in range(0, len(frames), FRAMES):
                piece = slice(first, first + FRAMES)
                filtered[:, piece] = self._filtered(frames[piece])
        return result

    def _padded(self, samples: Tensor) -> Tensor:
        half = self._n_fft // 2
        if self._edges == "reflect":  # the same as torch's padding, which takes five times as long
            before, after = samples[1 : half + 1].flip(0), samples[-half - 1 : -1].flip(0)
        else:
            before = after = samples.new_zeros(half)
        return torch.cat([before, samples, after])

    def _filtered(self, frames: Tensor) -> Tensor:
        # Squares of both parts, then their sum: |z| as torch computes it costs more than the Fourier transform.
        room = _workspace.of(self, len(frames))
        torch.mul(frames, self._window, out=room.windowed)
        spectra = torch.fft.rfft(room.windowed)  # which with "out" makes them and then copies them
        real, imaginary = torch.view_as_real(spectra).square_().unbind(-1)
        torch.add(real, imaginary, out=room.power)
        if self._power != 2.0:
            room.power.pow_(self._power / 2.0)
        for weights, power, product in room.products:
            torch.mm(weights, power, out=product)
        return room.filtered
