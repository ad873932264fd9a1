"""What all frozen networks share: clip by clip to values at positions, and those pooled."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Extractor
from asdbench.extractors.raw_mel import POOLINGS

Values = NDArray[np.float32]


def digest_of_weights(network: nn.Module) -> str:
    """Digest of all parameters and buffers of a network, by which downloaded weights are known.

    What a hub gives under a name may be another thing tomorrow.
    """
    found = hashlib.sha256()
    for name, value in network.state_dict().items():
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.contiguous().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


class Frozen(Extractor):
    """Pools what a network gives at the positions of a clip (frames, windows, places of an image).

    Clips go through the network one by one, so that no embedding depends on which others are embedded with it. The
    poolings follow one another in the embedding.
    """

    needs_fit = False

    def __init__(self, poolings: Sequence[str]) -> None:
        self._pool = [POOLINGS[name] for name in poolings]

    @abstractmethod
    def values(self, features: Iterable[Values], context: Context) -> Iterable[Values]:
        """Float32 (dim, positions) for each clip's features (channels, bins, frames), in their order."""

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Nothing to learn."""

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, poolings * dim)."""
        features = (np.array(context.features[clip.key], np.float32) for clip in clips)
        rows = []
        with context.progress.stage("embed", len(clips)) as stage:
            for values in self.values(features, context):
                rows.append(np.concatenate([pool(values) for pool in self._pool], dtype=np.float32))
                stage.advance()
        return np.stack(rows)

    def save(self, folder: Path) -> None:
        """Nothing to save: the weights stay where they are, and count by their content."""

    def load(self, folder: Path) -> None:
        """Nothing to load."""
