"""The contract of a step, and what steps that change embeddings share."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

from asdbench.scorers.base import Clips, Embeddings, Mask, Scorer, Scores

Make = Callable[[], Scorer]


class Step(ABC):
    """Puts something between the embeddings and a scorer. Arguments are the card's parameters."""

    @abstractmethod
    def around(self, make: Make) -> Scorer:
        """A scorer in place of what ``make`` gives, which is unfitted and may be asked for several times."""


class Changed(Scorer):
    """A scorer that is shown changed embeddings.

    Its training scores are out of fold, since the change has seen the training clips too.

    Args:
        inner: the scorer.

    Attributes:
        learns: whether the change depends on the training embeddings.
    """

    learns: ClassVar[bool] = True

    def __init__(self, inner: Scorer) -> None:
        super().__init__()
        self._inner = inner

    @abstractmethod
    def learn(self, embeddings: Embeddings) -> None:
        """Learn the change from training embeddings (n, dim)."""

    @abstractmethod
    def change(self, embeddings: Embeddings) -> Embeddings:
        """Changed embeddings, float32 (n, any dim)."""

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Learn the change, and fit the scorer to changed embeddings."""
        self.learn(embeddings)
        self._inner.seed = self.seed
        self._inner.fit(self.change(embeddings), clips)
        self.notes += self._inner.notes
        return self

    def score(self, embeddings: Embeddings) -> Scores:
        """The scorer's scores of changed embeddings, float64 (n,)."""
        return self._inner.score(self.change(embeddings))

    def without(self, left_out: Mask) -> Scorer | None:
        """As the scorer does it, where the change is the same whatever was left out."""
        inner = None if self.learns else self._inner.without(left_out)
        if inner is None:
            return None
        other = copy.copy(self)
        other._inner, other.notes = inner, []
        return other
