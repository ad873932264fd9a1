"""The contract of a scorer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.datasets.clips import TrainingClip

Embeddings = NDArray[np.float32]
Scores = NDArray[np.float64]


class ScorerError(AsdbenchError):
    """A scorer that cannot be fitted to what it was given."""


class Scorer(ABC):
    """Scores embeddings by how little they resemble the training clips. Arguments are the card's parameters.

    Attributes:
        seed: seed of this component, set before ``fit``.
        notes: what the user should know of this fit (a singular covariance, say).
    """

    def __init__(self) -> None:
        self.seed = 0
        self.notes: list[str] = []

    @abstractmethod
    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Learn from training embeddings (n, dim) and what is known of their clips."""

    @abstractmethod
    def score(self, embeddings: Embeddings) -> Scores:
        """Anomaly score of each row, float64 (n,); higher is more anomalous."""

    def training_scores(self) -> Scores | None:
        """Scores of the training clips that are not flattered by the fit, when the method has such; else None.

        The harness scores them out of fold when it is None.
        """
        return None


class FittedScorer(Scorer):
    """A scorer around a fitted model of a library."""

    def __init__(self) -> None:
        super().__init__()
        self._model: Any = None


def require_clips(name: str, clips: int, wanted: int, setting: str = "", largest: int = 0, smallest: int = 1) -> None:
    """Refuse a fit on fewer clips than the method needs.

    Args:
        name: of the scorer.
        clips: that there are.
        wanted: that it needs.
        setting: "component.param" that needs fewer when it is lowered.
        largest: value of it that these clips allow.
        smallest: value that it takes.

    Raises:
        ScorerError: fewer than ``wanted``.
    """
    if clips >= wanted:
        return
    there = "there is 1" if clips == 1 else f"there are {clips}"
    mend = f"Fewer are enough with -p {setting}={largest}" if setting and largest >= smallest else "Give it more"
    raise ScorerError(f"{name} needs at least {wanted} training clips; {there}. {mend}.")


def require_finite(name: str, embeddings: Embeddings) -> Embeddings:
    """The embeddings, when all of them are finite.

    Args:
        name: of the scorer.
        embeddings: (n, dim).

    Raises:
        ScorerError: some are NaN or infinite.
    """
    if not np.isfinite(embeddings).all():
        raise ScorerError(f"{name} was given embeddings that are not numbers (NaN or infinite).")
    return embeddings
