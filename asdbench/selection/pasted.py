"""Pseudo-anomalous recordings, made of normal ones: the same for whatever is to be compared."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.core.threads import pool_of_threads, torch_threads
from asdbench.datasets.clips import TrainingClip, content_of
from asdbench.datasets.folds import folds
from asdbench.frontends.base import Frontend
from asdbench.selection.criterion import require_enough

Waveform = NDArray[np.float32]

OUTLIERS = 200
AREA = (0.02, 0.15)  # of the time-frequency plane, and sides of the patch: those of the paper
ASPECT = 1 / 0.3  # of the longer side to the shorter, at most
GAIN_DB = (-6.0, 6.0)  # level of the patch against what it replaces
WINDOW = 1024
SILENCE = 1e-30  # power that a silent patch counts as


def cut_paste(waveform: Waveform, donor: Waveform, generator: np.random.Generator) -> Waveform:
    """A recording with a patch of another one's spectrogram in it, from another time and frequency.

    CutPaste (Li et al., 2021) in the short-time Fourier transform: normal sound in the wrong place. The patch is
    brought to the mean power of what it replaces, but for a few decibels: otherwise a patch from low frequencies,
    where machines are loud, could be heard by any detector.

    Args:
        waveform: samples of a normal clip.
        donor: samples of another one; its length may differ.
        generator: draws size, places and gain.

    Returns:
        float32, as long as ``waveform``.
    """
    from scipy.signal import istft  # with SciPy's statistics, most of a second that no other command should wait for

    host, other = _spectrum(waveform), _spectrum(donor)
    aspect = ASPECT ** float(generator.uniform(-1.0, 1.0))
    area = float(generator.uniform(*AREA))
    bins = _length((area * aspect) ** 0.5, host.shape[0], other.shape[0])
    frames = _length((area / aspect) ** 0.5, host.shape[1], other.shape[1])
    patch = other[_somewhere(bins, other.shape[0], generator), _somewhere(frames, other.shape[1], generator)]
    place = _somewhere(bins, host.shape[0], generator), _somewhere(frames, host.shape[1], generator)
    gain = 10.0 ** (float(generator.uniform(*GAIN_DB)) / 20.0)
    host[place] = patch * gain * (_power(host[place]) / max(_power(patch), SILENCE)) ** 0.5
    samples = istft(host, nperseg=WINDOW)[1][: len(waveform)]
    return np.asarray(np.pad(samples, (0, len(waveform) - len(samples))), np.float32)


def _spectrum(waveform: Waveform) -> NDArray[np.complex64]:
    """(bins, frames)."""
    from scipy.signal import stft

    padded = np.pad(np.asarray(waveform, np.float32), (0, max(0, WINDOW - len(waveform))))
    return np.asarray(stft(padded, nperseg=WINDOW)[2], np.complex64)


def _power(part: NDArray[np.complex64]) -> float:
    return float(np.mean(np.abs(part) ** 2))


def _length(fraction: float, *available: int) -> int:
    return int(np.clip(round(fraction * available[0]), 1, min(available)))


def _somewhere(length: int, available: int, generator: np.random.Generator) -> slice:
    start = int(generator.integers(0, available - length + 1))
    return slice(start, start + length)


class Waveforms(Protocol):
    """Samples of training clips by key."""

    def __getitem__(self, key: str) -> Waveform:
        """Float32 (samples,)."""


def hosts(clips: Sequence[TrainingClip]) -> list[int]:
    """Place of the clip that each outlier is made of, spread evenly over the clips.

    With more clips than outliers, evenly over the folds of the criterion too: every fifth of a thousand clips may be
    those of one fold, and the other folds without outliers.
    """
    count = len(clips)
    order = np.arange(count) if count <= OUTLIERS else np.argsort(folds(clips, attributes=True), kind="stable")
    return [int(place) for place in order[np.arange(OUTLIERS) * count // OUTLIERS]]


def outlier_features(
    clips: Sequence[TrainingClip], waveforms: Waveforms, frontend: Frontend, seed: int, jobs: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Training clips with a patch of another of them pasted in, as a front end hears them.

    200 outliers, spread evenly over the clips (``hosts``). They depend on the seed and on the clips, not on the
    number of jobs. An extractor embeds them like any features (``InMemoryFeatures``); the embeddings are ``Outliers``
    for ``criterion``.

    Args:
        clips: of one machine type and section.
        waveforms: their samples, as the front end wants them.
        frontend: makes features of waveforms.
        seed: of the patches.
        jobs: threads.

    Yields:
        Place of the clip that the outlier is made of, and its features (channels, bins, frames).

    Raises:
        SelectionError: too few clips to choose by.
    """
    import torch

    require_enough(clips)

    made_of = hosts(clips)

    def make(number: int) -> tuple[int, NDArray[np.float32]]:
        host = made_of[number]
        drawn = np.random.default_rng(derive_seed(seed, "cut and paste", content_of(clips[host].key), number))
        donor = (host + int(drawn.integers(1, len(clips)))) % len(clips)
        pasted = cut_paste(waveforms[clips[host].key], waveforms[clips[donor].key], drawn)
        return host, frontend(torch.from_numpy(pasted[None]))[0].numpy()

    with torch_threads(1), pool_of_threads(jobs) as pool:
        yield from pool.map(make, range(OUTLIERS))
