"""The contract of an extractor, and the context in which it works."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from asdbench.core.progress import Progress
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.learning import Learning
from asdbench.frontends.decoding import TrainingWaveforms
from asdbench.frontends.pack import FeatureReader

if TYPE_CHECKING:
    from asdbench.augmentations.base import Augmentation
    from asdbench.frontends.base import Frontend

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class Training:
    """What only a fit may use; an extractor that embeds is not given it.

    Attributes:
        waveforms: decoded training recordings by clip key.
        frontend: makes features of waveforms, as those in the cache were made.
        augmentations: by name, in the order asked for.
        identity: digest of front end and augmentations with all their parameters.
        views: folder where augmented copies are cached between runs.
        others: training clips of the other machine types, for cards with fit_on = "machine-among-others".
        checkpoints: folder of this very training; survives a kill, is removed when the fit is done.
    """

    waveforms: TrainingWaveforms
    frontend: "Frontend"
    augmentations: "Mapping[str, Augmentation]"
    identity: str
    views: Path
    checkpoints: Path
    others: Sequence[TrainingClip] = ()


@dataclass(frozen=True)
class Context:
    """What an extractor may use besides the clips; nothing is global.

    Attributes:
        seed: derived from the run's seed, the component's name and the machine type; all that is random hangs on it.
        device: "cpu" or "cuda".
        jobs: threads to use for work outside torch.
        progress: where stages and notes are reported.
        features: features by clip key, ``context.features[clip.key]``, float32 (channels, bins, frames), in the front
            end's units (log-mel: dB).
        frame_rate_hz: frames per second of the features.
        training: what only a fit may use; None while embedding.
    """

    seed: int
    device: str
    jobs: int
    progress: Progress
    features: FeatureReader
    frame_rate_hz: float
    training: Training | None = field(default=None)


class Extractor(ABC):
    """Turns clips into embeddings. Arguments of the constructor are the parameters of its card.

    What ``fit`` may leave for the record:

    Attributes:
        curves: one number for each epoch, by name; "loss" is the mean training loss.
        parameter_count: learned numbers of the network, also of a frozen one; 0 where there is none.
        notes: what the user should know of this fit.
        needs_fit: whether ``embed`` works only after ``fit`` or ``load``.
        fits_together: whether it has ``fit_together``, faster than one fit after the other.
        learning: one figure that says whether it learned: its task on what it was not trained on, against chance
            and against the same network untrained; None where nothing is trained or nothing can be compared.
        macs: multiply-accumulates of one clip, of an extractor that counts them itself while it embeds.
    """

    curves: Mapping[str, Sequence[float]] = MappingProxyType({})
    parameter_count: int = 0
    notes: Sequence[str] = ()
    learning: Learning | None = None
    macs: int | None = None
    needs_fit: bool = True
    fits_together: bool = False

    @abstractmethod
    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Learn from training clips (normals only; no test clip is ever passed)."""

    @classmethod
    def fit_together(
        cls,
        extractors: "Sequence[Self]",
        clips: Sequence[Sequence[TrainingClip]],
        contexts: Sequence[Context],
    ) -> list[Exception | None]:
        """Fit several extractors with equal parameters, each as it would be alone.

        The harness hands the fits of several machine types and seeds to an extractor that ``fits_together``.

        Args:
            extractors: that know nothing yet.
            clips: of each.
            contexts: of each.

        Returns:
            Of each the exception that its fit ended with, or None.
        """
        raise NotImplementedError(f"{cls.__name__} fits one at a time")

    @abstractmethod
    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """Float32 array (n_clips, dim), or (n_clips, bands, dim) for scorers that take bands; all finite."""

    @classmethod
    def embed_together(
        cls, extractors: "Sequence[Extractor]", clips: Sequence[BlindClip], context: Context
    ) -> list[Embeddings]:
        """Embeddings by extractors of one fit, which differ in parameters that affect the embedding alone.

        An extractor that can make them in one pass over the clips does so.
        """
        return [one.embed(clips, context) for one in extractors]

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what ``fit`` learned as safetensors and JSON; nothing is ever pickled."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Take back what ``save`` wrote."""


class Untrained(Extractor):
    """An extractor that learns nothing: there is nothing to fit, to save or to load, and ``embed`` is all to write.

    Its card says ``untrained = true``.

    Example:
        >>> class Level(Untrained):
        ...     def embed(self, clips, context):
        ...         return np.stack([context.features[clip.key].mean(axis=(0, 2)) for clip in clips])
    """

    needs_fit = False

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Nothing to learn."""

    def save(self, folder: Path) -> None:
        """Nothing to save."""

    def load(self, folder: Path) -> None:
        """Nothing to load."""
