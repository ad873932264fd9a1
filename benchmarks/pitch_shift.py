"""Pitch shifting of a 10 s clip, against torchaudio's own function."""

import torch
from timing import compare
from torchaudio.functional import pitch_shift

import asdbench

clip = torch.randn(1, 160_000, generator=torch.Generator().manual_seed(0))
shift = asdbench.build("pitch-shift", min_semitones=4.3, max_semitones=4.4)
compare(
    "pitch shift of 10 s by 4.3 semitones",
    lambda: shift(clip.repeat(2, 1), torch.Generator().manual_seed(0)),
    lambda: [pitch_shift(clip, 16_000, steps, bins_per_octave=120) for steps in (-43, 43)],
    rounds=3,
    warm_up=False,
)
