"""What all frozen networks share: clip by clip to values at positions, and those pooled."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from asdbench.datasets.clips import BlindClip
from asdbench.extractors.base import Context, Embeddings, Untrained
from asdbench.extractors.raw_mel import POOLINGS

Values = NDArray[np.float32]


@cache
def digest_of_download(download: Callable[[str], nn.Module], name: str) -> str:
    """Digest of all parameters and buffers of a network that is downloaded, as a hub may give another one tomorrow."""
    digest = hashlib.sha256()
    for key, value in download(name).state_dict().items():
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def first_line(error: Exception) -> str:
    """What a library says went wrong, without its details."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def named_line(error: Exception) -> str:
    """The same behind the name of the error's class."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


class Frozen(Untrained):
    """Pools what a network gives at the positions of a clip (frames, windows, places of an image).

    Clips go through the network one by one, so that no embedding depends on which others are embedded with it. The
    poolings follow one another in the embedding. Weights stay where they are, and count by their content.
    """

    def __init__(self, poolings: Sequence[str]) -> None:
        self._pool = [POOLINGS[name] for name in poolings]

    @abstractmethod
    def values(self, features: Iterable[Values], context: Context) -> Iterable[Values]:
        """Float32 (dim, positions) for each clip's features (channels, bins, frames), in their order."""

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, poolings * dim)."""
        features = (np.array(context.features[clip.key], np.float32) for clip in clips)
        rows = []
        with context.progress.stage("embed", len(clips)) as stage:
            for values in self.values(features, context):
                rows.append(np.concatenate([pool(values) for pool in self._pool], dtype=np.float32))
                stage.advance()
        return np.stack(rows)


class FrozenNetwork(Frozen):
    """A torch network with weights of a file or of a hub."""

    _network: Any = None

    @abstractmethod
    def load_network(self) -> nn.Module:
        """The network with its weights."""

    def loaded(self, context: Context) -> Any:
        """The network on the device, in evaluation mode; loaded once."""
        if self._network is None:
            with torch.random.fork_rng(devices=[]):  # the weights that it begins with are drawn, and replaced
                self._network = self.load_network()
        return self._network.to(context.device).eval()
