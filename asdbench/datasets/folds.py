"""Training clips in folds, each of which is left out once."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.clips import TrainingClip

FOLDS = 5


def folds(clips: Sequence[TrainingClip], count: int = FOLDS, *, attributes: bool = False) -> NDArray[np.int64]:
    """Fold of each clip (n,), domains (with ``attributes`` sections and attributes, too) spread over all of them."""

    def order(place: int) -> tuple[object, ...]:
        clip = clips[place]
        return (clip.domain or "", *((clip.section, clip.attributes) if attributes else ()), place)

    fold = np.empty(len(clips), np.int64)
    fold[sorted(range(len(clips)), key=order)] = np.arange(len(clips)) % count
    return fold


def fits(
    fold: NDArray[np.int64], clips: Sequence[TrainingClip]
) -> Iterator[tuple[NDArray[np.bool_], list[TrainingClip]]]:
    """For each fold, which clips (n,) a fit sees, and these clips."""
    for number in range(fold.max() + 1):
        seen = fold != number
        yield seen, [clip for clip, is_seen in zip(clips, seen, strict=True) if is_seen]
