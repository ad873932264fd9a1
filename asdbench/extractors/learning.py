"""One figure that says whether a training learned anything."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Learning:
    """How well a trained network does its task, against chance and against itself untrained.

    Higher is better for every figure. Nothing of it looks at test clips or labels of anomalies.

    Attributes:
        figure: what is measured, "pair accuracy" for instance.
        value: of the trained network, as it is used for embedding.
        chance: of guessing; None where guessing has no figure.
        untrained: of the same network with its weights as they were drawn.
        margin: how much better than both counts as better, for example twice the standard error of a proportion.
        measured_on: on what, "280 pairs of 28 clips held out of training" for instance.
    """

    figure: str
    value: float
    chance: float | None
    untrained: float
    margin: float
    measured_on: str

    @property
    def learned(self) -> bool:
        """Whether the figure is better than chance and than untrained, by more than the margin."""
        baseline = self.untrained if self.chance is None else max(self.chance, self.untrained)
        return self.value > baseline + self.margin


def two_standard_errors(proportion: float, counts: Sequence[int]) -> float:
    """Twice the standard error of a proportion.

    Args:
        proportion: from 0 to 1.
        counts: items in each group; a figure that is the mean over several groups' proportions has several.
    """
    proportion = min(max(proportion, 0.0), 1.0)
    return 2.0 * math.sqrt(proportion * (1.0 - proportion) * sum(1.0 / count for count in counts)) / len(counts)
