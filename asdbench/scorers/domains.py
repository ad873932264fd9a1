"""Training rows by domain, and distances to the rows of several domains on one scale."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from asdbench.scorers.bank import Distances, Places
from asdbench.scorers.base import Clips

SOURCE, TARGET, UNKNOWN = "source", "target", "unknown"
SPREAD = 1e-9  # of the mean; a smaller deviation is none
Rows = TypeVar("Rows", bound=NDArray[np.floating])


def domains_of(clips: Clips, count: int) -> NDArray[np.str_]:
    """Domain of each of so many clips, "unknown" where there is none."""
    return np.array([clip.domain or UNKNOWN for clip in clips] if clips else [UNKNOWN] * count)


def places_by_domain(clips: Clips, count: int) -> dict[str, Places]:
    """Places of the clips of each domain that there is: source, then target, then clips without one, as one bank."""
    domains = domains_of(clips, count)
    return {name: np.flatnonzero(domains == name) for name in (SOURCE, TARGET, UNKNOWN) if name in domains}


def source_and_target(rows: Rows, clips: Clips) -> tuple[Rows, Rows]:
    """Rows of source clips, to which clips of unknown domain count, and rows of target clips."""
    target = domains_of(clips, len(rows)) == TARGET
    return rows[~target], rows[target]


def one_domain_note(banks: dict[str, Places]) -> list[str]:
    """What the user should know when there is nothing to separate; else nothing."""
    if len(banks) > 1:
        return []
    (name,) = banks
    whose = "have no domain" if name == UNKNOWN else f"are of the {name} domain"
    return [f"all training clips {whose}, so there is one bank"]


def in_order(rows: Rows) -> Rows:
    """The rows sorted by their bytes: what is drawn among them by a seed does not depend on how they came."""
    order = sorted(range(len(rows)), key=lambda place: rows[place].tobytes())
    return rows[order]  # type: ignore[return-value]


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

    What is near in a dense bank is far in a sparse one. GenRep (Saengthong and Shinozaki, 2024) standardises each
    bank's distances by the test clips' mean and deviation, which no one has who scores one clip at a time; Saengthong
    and Shinozaki (DCASE 2025, section 2.2) take those of the training clips, each within its bank and without itself.
    A bank of one clip has no such distances, and one of two (or of equal clips) no deviation: what is missing is
    taken from the largest bank that has it.

    Args:
        within: leave-one-out distances of each bank's clips; infinite where a bank is a single clip.
        how: "none"; "z-score", mean and deviation of the bank itself; "target-deviation", mean of the bank itself and
            the target's deviation for all (equation 3 of 2025).
    """
    if how == "none":
        return {name: Standard() for name in within}, []
    finite = {name: distances[np.isfinite(distances)] for name, distances in within.items()}
    largest_first = sorted(finite, key=lambda name: -len(finite[name]))
    means = {name: float(finite[name].mean()) for name in largest_first if len(finite[name])}
    spreads = {name: float(finite[name].std()) for name in means}
    deviations = {name: spread for name, spread in spreads.items() if spread > SPREAD * abs(means[name])}
    notes = [] if deviations else ["no bank's leave-one-out distances differ, so distances are not scaled"]
    other_mean = next(iter(means.values()), 0.0)
    other_deviation = next(iter(deviations.values()), 1.0)
    result = {}
    for name, distances in within.items():
        if name not in means:
            notes.append(f"the {name} bank is a single clip; its distances are standardised by the largest bank's")
        elif name not in deviations and deviations:
            notes.append(
                f"the {len(distances)} clips of the {name} bank are all as far from each other, so that its distances "
                "have no deviation; the largest bank's is taken"
            )
        whose = TARGET if how == "target-deviation" and TARGET in deviations else name
        result[name] = Standard(means.get(name, other_mean), deviations.get(whose, other_deviation))
    return result, notes
