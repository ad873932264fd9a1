"""The contract of a scorer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.datasets.clips import TrainingClip

Embeddings = NDArray[np.floating]  # float32 from extractors; scorers take double precision, too
Scores = NDArray[np.float64]
Clips = Sequence[TrainingClip] | None
Mask = NDArray[np.bool_]


class ScorerError(AsdbenchError):
    """A scorer that cannot be fitted to what it was given."""


class Scorer(ABC):
    """Scores embeddings by how little they resemble the training clips. Arguments are the card's parameters.

    Attributes:
        seed: seed of this component, set before ``fit``.
        notes: what the user should know of this fit (a singular covariance, say).
        held_out_fits: fits that each leave out as many of the training clips, which score as new ones would.
    """

    held_out_fits: int = 20  # of five, each sees a fifth less than the scorer itself

    def __init__(self) -> None:
        self.seed = 0
        self.notes: list[str] = []

    @abstractmethod
    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Learn from training embeddings (n, dim), or (n, bands, dim) where the method works by bands.

        Args:
            embeddings: of normal clips.
            clips: what is known of them, in the same order; None where neither domains nor attributes are known.

        Returns:
            The scorer itself.

        Raises:
            ScorerError: it cannot be fitted to these: too few clips, all with the same embedding, or not finite.
        """

    @abstractmethod
    def score(self, embeddings: Embeddings) -> Scores:
        """Anomaly score of each row, float64 (n,); higher is more anomalous."""

    def training_scores(self) -> Scores | None:
        """Scores of the training clips that are not flattered by the fit, when the method has such; else None.

        The harness scores them out of fold when it is None. An ensemble, and by-domain, take them for units.
        """
        return None

    def held_out_scores(self) -> Scores | None:
        """Scores that the training clips would have under a fit to the others, for thresholds; else None.

        The harness scores them by ``held_out_fits`` fits when it is None.
        """
        return self.training_scores()

    def without(self, left_out: Mask) -> "Scorer | None":
        """The scorer that a fit to the other training clips would give, out of what this one has learned; else None.

        Out-of-fold scores take it in place of a fit, where a method has it.

        Args:
            left_out: which of the training clips (n,).

        Raises:
            ScorerError: as such a fit would.
        """
        return None


class ArrayScorer(Scorer):
    """A scorer whose rows are checked here, so that a subclass holds its method alone.

    Attributes:
        name: of the scorer, for messages.
        fewest: training clips that it needs, whatever its parameters.
    """

    name: ClassVar[str]
    fewest: ClassVar[int] = 0

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Learn from training embeddings (n, dim)."""
        rows = self._rows(embeddings)
        require_clips(self.name, len(rows), self.fewest)
        self._learn(rows, clips)
        return self

    def score(self, embeddings: Embeddings) -> Scores:
        """Anomaly score of each row, float64 (n,); higher is more anomalous."""
        return np.asarray(self._score(self._rows(embeddings)), np.float64)

    def _rows(self, embeddings: Embeddings) -> Any:
        """The rows as the method takes them."""
        return doubles(self.name, embeddings)

    @abstractmethod
    def _learn(self, rows: Any, clips: Clips) -> None:
        """Learn from training rows."""

    @abstractmethod
    def _score(self, rows: Any) -> Any:
        """Scores of rows."""


def require_clips(name: str, clips: int, wanted: int, setting: str = "", largest: int = 0, smallest: int = 1) -> None:
    """Refuse a fit on fewer clips than the scorer of that name wants.

    Args:
        name: of the scorer.
        clips: how many there are.
        wanted: how many it needs.
        setting: "component.param" that needs fewer when it is lowered.
        largest: value of it that these clips allow.
        smallest: value that it takes.
    """
    if clips >= wanted:
        return
    there = "there is 1" if clips == 1 else f"there are {clips}"
    mend = f"Fewer are enough with -p {setting}={largest}" if setting and largest >= smallest else "Give it more"
    raise ScorerError(f"{name} needs at least {wanted} training clips; {there}. {mend}.")


def require_finite(name: str, embeddings: ArrayLike, *, bands: bool = False) -> Embeddings:
    """The embeddings as an array of floats (n, dim), with ``bands`` also (n, bands, dim).

    Raises:
        ScorerError: another shape, NaN or infinity.
    """
    rows = np.asarray(embeddings)
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    if rows.ndim == 3 and not bands:
        raise ScorerError(
            f"{name} takes one vector a clip; these embeddings have bands, shape {rows.shape}.\n"
            f"Put a step in front of it that makes one vector of them: --scorer join-bands+{name}"
        )
    if rows.ndim not in (2, 3):
        raise ScorerError(f"{name} takes embeddings of shape (clips, dimensions); these have shape {rows.shape}.")
    if not np.isfinite(rows).all():
        raise ScorerError(f"{name} was given embeddings that are not numbers (NaN or infinite).")
    return rows


def doubles(name: str, embeddings: ArrayLike) -> NDArray[np.float64]:
    """The same in double precision."""
    return np.asarray(require_finite(name, embeddings), np.float64)


def require_variety(embeddings: NDArray[np.floating], missing: str) -> None:
    """Refuse clips that all have the same embedding; ``missing`` says what they lack."""
    if not np.ptp(embeddings, axis=0).any():
        raise ScorerError(f"all {len(embeddings)} training clips have the same embedding, so {missing}.")
