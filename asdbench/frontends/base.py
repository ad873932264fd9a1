"""The contract of a front end."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class Frontend(Protocol):
    """Turns waveforms into features.

    ``sample_rate_hz`` and ``channel`` say how recordings are decoded for it; ``frame_rate_hz`` how many frames it
    gives for a second; ``min_samples`` is the shortest waveform that it takes.
    """

    sample_rate_hz: int
    channel: str
    frame_rate_hz: float
    min_samples: int

    def __call__(self, waveform: "Tensor") -> "Tensor":
        """Float32 (batch, samples) -> float32 (batch, channels, bins, frames)."""


class Place(NamedTuple):
    """Where a recording lies in its data set, and the clip's key."""

    machine: str
    split: str
    name: str
    key: str


class NamedFeatures(ABC):
    """A front end that has features of recordings by their names, in the place of making them.

    Names reveal labels and domains. They are known to the feature store, which asks; what comes after it is given
    features by key, as from every other front end. The card of such a front end says ``by_name = true``. The
    attributes of ``Frontend`` are those of a recording that is decoded for something else, a picture for instance.
    """

    sample_rate_hz: int
    channel: str
    frame_rate_hz: float
    min_samples: int

    @abstractmethod
    def require(self, places: Sequence[Place]) -> str:
        """Make sure that all of these are there; what the user should know, or ''.

        Raises:
            DataError: something is missing.
        """

    @abstractmethod
    def look_up(self, place: Place) -> NDArray[np.floating[Any]]:
        """Features (channels, bins, frames) of one recording."""
