"""Statistics of the features over time."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.clips import BlindClip
from asdbench.extractors.base import Context, Embeddings, Untrained

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


class RawMel(Untrained):
    """Pools every bin over the frames of a clip; the poolings follow one another in the embedding.

    "delta" is the mean absolute step from frame to frame. Learns nothing.
    """

    def __init__(self, *, poolings: Sequence[str]) -> None:
        self._pool = [POOLINGS[name] for name in poolings]

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, poolings * channels * bins)."""
        return np.stack([self._embed_one(np.asarray(context.features[clip.key], np.float32)) for clip in clips])

    def _embed_one(self, features: Values) -> Values:
        return np.concatenate([pool(features).ravel() for pool in self._pool], dtype=np.float32)
