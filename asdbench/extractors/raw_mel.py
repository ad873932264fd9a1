"""Statistics of the features over time."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Extractor

Values = NDArray[np.float32]
POOLINGS: dict[str, Callable[[Values], Values]] = {
    "mean": lambda x: x.mean(axis=-1),
    "std": lambda x: x.std(axis=-1),
    "min": lambda x: x.min(axis=-1),
    "max": lambda x: x.max(axis=-1),
    "median": lambda x: np.median(x, axis=-1),
    "p10": lambda x: np.percentile(x, 10, axis=-1),
    "p90": lambda x: np.percentile(x, 90, axis=-1),
    "delta": lambda x: np.abs(np.diff(x, axis=-1)).mean(axis=-1),
}


class RawMel(Extractor):
    """Pools every bin over the frames of a clip; the poolings follow one another in the embedding.

    "delta" is the mean absolute step from frame to frame. Learns nothing.
    """

    needs_fit = False

    def __init__(self, *, poolings: Sequence[str]) -> None:
        self._pool = [POOLINGS[name] for name in poolings]

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Nothing to learn."""

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, poolings * channels * bins)."""
        return np.stack([self._embed_one(np.asarray(context.features[clip.key], np.float32)) for clip in clips])

    def _embed_one(self, features: Values) -> Values:
        return np.concatenate([pool(features).ravel() for pool in self._pool], dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Nothing to save."""

    def load(self, folder: Path) -> None:
        """Nothing to load."""
