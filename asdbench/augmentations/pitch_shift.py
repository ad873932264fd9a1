"""Pitch shifting by phase vocoder and resampling."""

import math
from fractions import Fraction
from functools import cache

import torch
from torch import Generator, Tensor
from torchaudio.functional import phase_vocoder, resample

from asdbench.augmentations.base import Augmentation, uniform

N_FFT = 1024
HOP = N_FFT // 4
TOLERANCE = 0.01


class PitchShift(Augmentation):
    """Lowers even positions of the batch and raises odd ones by up to ``max_semitones``; durations stay.

    Shin and Lee (2023), section 2.3: within one octave, half of the copies lowered and half raised. The ratio is
    rounded to a fraction of small integers (within 1 %), because resampling costs in proportion to them.
    """

    works_on = "waveform"

    def __init__(self, *, min_semitones: float, max_semitones: float) -> None:
        self.min_semitones = min_semitones
        self.max_semitones = max_semitones

    def __call__(self, batch: Tensor, generator: Generator) -> Tensor:
        """(batch, samples) -> the same shape."""
        semitones = uniform(len(batch), self.min_semitones, self.max_semitones, generator)
        signs = (-1.0, 1.0)
        shifted = [
            shift_pitch(clip, simple_ratio(2.0 ** (signs[position % 2] * float(semitones[position]) / 12.0)))
            for position, clip in enumerate(batch)
        ]
        return torch.stack(shifted)


@cache
def simple_ratio(ratio: float) -> Fraction:
    """The fraction with the smallest denominator within 1 % of ``ratio``."""
    denominator = 1
    while True:
        fraction = Fraction(max(1, round(ratio * denominator)), denominator)
        if abs(float(fraction) / ratio - 1.0) <= TOLERANCE:
            return fraction
        denominator += 1


def shift_pitch(waveform: Tensor, ratio: Fraction) -> Tensor:
    """Multiply every frequency of a waveform (samples,) by ``ratio``; the length stays.

    Stretched in time by ``ratio`` with a phase vocoder, then read faster by the same ratio.
    """
    if ratio == 1:
        return waveform.clone()
    window = torch.hann_window(N_FFT)
    spectrum = torch.stft(waveform, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    advance = torch.linspace(0, math.pi * HOP, spectrum.shape[0])[:, None]
    stretched = phase_vocoder(spectrum, float(1 / ratio), advance)
    longer = torch.istft(stretched, N_FFT, HOP, window=window, length=round(len(waveform) * float(ratio)))
    shifted: Tensor = resample(longer, ratio.numerator, ratio.denominator)
    return torch.nn.functional.pad(shifted, (0, max(0, len(waveform) - len(shifted))))[: len(waveform)]
