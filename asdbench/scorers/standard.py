"""Distances of several banks on one scale, by leave-one-out statistics of the training clips.

What is near in a dense bank is far in a sparse one. GenRep (Saengthong and Shinozaki, 2024) standardises each bank's
distances by the test clips' mean and deviation, which no one has who scores one clip at a time; Saengthong and
Shinozaki (DCASE 2025, section 2.2) take those of the training clips, each within its bank and without itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from asdbench.scorers.bank import Distances
from asdbench.scorers.domains import TARGET

SPREAD = 1e-9  # of the mean; a smaller deviation is none


@dataclass(frozen=True)
class Standard:
    """Mean and deviation that a bank's distances are standardised by."""

    mean: float = 0.0
    deviation: float = 1.0

    def __call__(self, distances: Distances) -> Distances:
        """``(distance - mean) / deviation``."""
        return (distances - self.mean) / self.deviation


def standards(within: Mapping[str, Distances], how: str) -> tuple[dict[str, Standard], list[str]]:
    """The standard of each bank, and what the user should know of them.

    A bank of one clip has no such distances, and one of two (or of equal clips) no deviation: what is missing is
    taken from the largest bank that has it.

    Args:
        within: leave-one-out distances of each bank's clips; infinite where a bank is a single clip.
        how: "none"; "z-score", mean and deviation of the bank itself; "target-deviation", mean of the bank itself and
            the target's deviation for all (equation 3 of 2025).
    """
    if how == "none":
        return {name: Standard() for name in within}, []
    notes = []
    finite = {name: own[np.isfinite(own)] for name, own in within.items()}
    largest_first = sorted(finite, key=lambda name: -len(finite[name]))
    means = {name: float(finite[name].mean()) for name in largest_first if len(finite[name])}
    spreads = {name: float(finite[name].std()) for name in means}
    deviations = {name: spread for name, spread in spreads.items() if spread > SPREAD * abs(means[name])}
    if not deviations:
        notes.append("no bank's leave-one-out distances differ, so distances are not scaled")
    other_mean = next(iter(means.values()), 0.0)
    other_deviation = next(iter(deviations.values()), 1.0)
    result = {}
    for name, own in within.items():
        if name not in means:
            notes.append(f"the {name} bank is a single clip; its distances are standardised by the largest bank's")
        elif name not in deviations and deviations:
            notes.append(
                f"the {len(own)} clips of the {name} bank are all as far from each other, so that its distances "
                "have no deviation; the largest bank's is taken"
            )
        wanted = TARGET if how == "target-deviation" and TARGET in deviations else name
        result[name] = Standard(means.get(name, other_mean), deviations.get(wanted, other_deviation))
    return result, notes
