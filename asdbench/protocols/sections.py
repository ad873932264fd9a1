"""The test clips of one section: what every definition of a score starts from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asdbench.protocols.metrics import Labels, Scores


@dataclass(frozen=True)
class SectionScores:
    """Test clips of one section, row by row.

    Attributes:
        labels: 1 for anomalies.
        domains: "source" or "target"; empty texts where the data set has no domains.
        scores: higher is more anomalous.
        decisions: 1 where the score lies above the threshold; None where no decisions are known.
        names: file names of the clips, by which two systems are compared.
    """

    labels: Labels
    domains: NDArray[np.str_]
    scores: Scores
    decisions: Labels | None
    names: tuple[str, ...] = ()
