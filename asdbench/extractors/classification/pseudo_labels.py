"""Classes of training clips: machine type, section, attributes and domain; clusters where attributes are hidden."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.core.threads import one_thread
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context
from asdbench.extractors.pairs import Class

Vectors = Callable[[Sequence[TrainingClip]], NDArray[np.float32]]
WINDOW = 1024
FLOOR = 1e-8  # of a mean magnitude, so that silence has a logarithm


def labelled(
    clips: Sequence[TrainingClip],
    clusters: int,
    context: Context,
    of_target: int | None = None,
    vectors: Vectors | None = None,
) -> tuple[Mapping[str, Class], list[str]]:
    """Class of each clip by its key, and what to note.

    A section whose clips all have the same attributes is split into clusters by k-means, where it has that many clips.

    Args:
        clips: all training clips.
        clusters: of such a section; 1 leaves it whole.
        context: features and seed.
        of_target: clusters of its target clips, which are split by themselves then; None: all its clips together.
        vectors: of clips, which are clustered; None: their logarithmic mean spectra.
    """
    sections: dict[tuple[str, str], list[TrainingClip]] = {}
    for clip in clips:
        sections.setdefault((clip.machine, clip.section), []).append(clip)
    classes: dict[str, Class] = {}
    notes = []
    for (machine, section), members in sorted(sections.items()):
        hidden = len({clip.attributes for clip in members}) == 1
        groups = [("", members, clusters)]
        if of_target is not None:
            target = [clip for clip in members if clip.domain == "target"]
            source = [clip for clip in members if clip.domain != "target"]
            groups = [("source ", source, clusters), ("target ", target, of_target)]
        for of, group, count in groups:
            names = ["-"] * len(group)
            if hidden and 1 < count < len(group):
                rows = vectors(group) if vectors else _spectra(group, context)
                names = [f"cluster {number}" for number in _k_means(rows, count, context.seed, machine, section)]
                notes.append(f"{machine} section {section}: no attributes, so its {of}clips are in {count} clusters")
            for clip, cluster in zip(group, names, strict=True):
                attributes = [f"{name}={value}" for name, value in clip.attributes]
                classes[clip.key] = (machine, section, *attributes, clip.domain or "-", cluster)
    return classes, notes


def _spectra(clips: Sequence[TrainingClip], context: Context) -> NDArray[np.float32]:
    return np.stack([log_spectrum(context.features[clip.key]) for clip in clips])


def log_spectrum(waveform: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(1, 1, samples) -> (513,): logarithm of the mean magnitude spectrum."""
    samples = waveform.reshape(-1)
    if len(samples) < WINDOW:
        samples = np.pad(samples, (0, WINDOW - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[:: WINDOW // 2]
    magnitudes = np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1))
    spectrum: NDArray[np.float32] = np.log(magnitudes.mean(axis=0) + FLOOR).astype(np.float32)
    return spectrum


def _k_means(rows: NDArray[np.float32], clusters: int, seed: int, machine: str, section: str) -> NDArray[np.int32]:
    from sklearn.cluster import KMeans

    state = derive_seed(seed, "pseudo labels", machine, section) % 2**32
    with one_thread():  # the sums of several threads depend on their number
        labels: NDArray[np.int32] = KMeans(clusters, n_init=10, random_state=state).fit_predict(rows.astype(np.float64))
    return labels
