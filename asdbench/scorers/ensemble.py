"""One score of several."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import rankdata

from asdbench.scorers.base import ArrayScorer, Clips, Scores

SPREAD = 1e-6  # of the largest score; a smaller deviation is rounding (members' scores are single precision)
COMBINE: dict[str, Callable[[Any], Scores]] = {
    "mean": lambda scores: np.mean(scores, axis=1),
    "minimum": lambda scores: np.min(scores, axis=1),
    "maximum": lambda scores: np.max(scores, axis=1),
}


class Ensemble(ArrayScorer):
    """Combines the scores of an ensemble's members, each normalised by its own training scores.

    "z-score" takes off the mean of the training scores and divides by their deviation; "rank" takes the share of the
    training scores that lie below (half of those that are equal), and goes on above the largest by less than one
    rank; "none" leaves scores as they are. But for "none" a member's unit does not matter. The training scores are
    those of clips that a member's scorer had not seen.

    Args:
        normalise: "z-score", "rank" or "none".
        combine: "mean", "minimum" or "maximum" over the members.
    """

    name = "ensemble"
    fewest = 2

    def __init__(self, *, normalise: str, combine: str) -> None:
        super().__init__()
        self._normalise = normalise
        self._combine = COMBINE[combine]
        self._training: Scores = np.empty((0, 0))

    def _learn(self, rows: Scores, clips: Clips) -> None:
        self._training = rows
        same = [str(column + 1) for column in np.flatnonzero(_deviations(self._training) == 0.0)]
        if same and self._normalise == "z-score":
            self.notes.append(
                f"member {', '.join(same)}: its training scores are all the same; only their mean is taken off"
            )

    def _score(self, rows: Scores) -> Scores:
        return self._combined(rows)

    def _combined(self, scores: Scores) -> Scores:
        if self._normalise == "z-score":
            deviation = _deviations(self._training)
            scores = (scores - self._training.mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)
        elif self._normalise == "rank":
            scores = np.stack([_share_below(*pair) for pair in zip(scores.T, self._training.T, strict=True)], axis=1)
        return self._combine(scores)

    def training_scores(self) -> Scores | None:
        """Of the training clips, whose members' scores are not flattered already."""
        return self._combined(self._training)


def _deviations(training: Scores) -> Scores:
    """Deviation of each column, (members,); 0 where it is rounding only."""
    deviations: Scores = training.std(axis=0)
    return np.where(deviations > SPREAD * np.abs(training).max(axis=0), deviations, 0.0)


def _share_below(scores: Scores, training: Scores) -> Scores:
    """Share of the training scores below each score; above them it goes on with the distance, so that no two tie."""
    both = rankdata(np.concatenate([training, scores]))[len(training) :] - rankdata(scores)
    beyond = np.maximum(scores - training.max(), 0.0) / (float(training.std()) or 1.0)
    return np.asarray(both / len(training) + beyond / (1.0 + beyond) / len(training))
