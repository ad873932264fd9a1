"""Features of pseudo-anomalous recordings, the same recordings for whatever is to be compared."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.datasets.clips import TrainingClip, content_of
from asdbench.datasets.folds import folds
from asdbench.frontends.base import Frontend
from asdbench.frontends.decoding import one_thread
from asdbench.selection.criterion import require_enough
from asdbench.selection.cut_paste import Waveform, cut_paste

OUTLIERS = 200


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

    with one_thread(), ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(make, range(OUTLIERS))
