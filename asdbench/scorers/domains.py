"""Training rows by domain, and in an order of their own."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.clips import TrainingClip

SOURCE, TARGET, UNKNOWN = "source", "target", "unknown"
Places = NDArray[np.intp]
Rows = TypeVar("Rows", bound=NDArray[np.floating])


def places_by_domain(clips: Sequence[TrainingClip]) -> dict[str, Places]:
    """Places of the clips of each domain that there is: source, then target, then clips without one, as one bank."""
    names = np.array([clip.domain or UNKNOWN for clip in clips])
    found = {name: np.flatnonzero(names == name) for name in (SOURCE, TARGET, UNKNOWN)}
    return {name: places for name, places in found.items() if len(places)}


def source_and_target(rows: Rows, clips: Sequence[TrainingClip]) -> tuple[Rows, Rows]:
    """Rows of source clips, to which clips of unknown domain count, and rows of target clips."""
    target = np.array([clip.domain == TARGET for clip in clips])
    return rows[~target], rows[target]


def one_domain_note(banks: dict[str, Places]) -> list[str]:
    """What the user should know when there is nothing to part; else nothing."""
    if len(banks) > 1:
        return []
    (name,) = banks
    whose = "have no domain" if name == UNKNOWN else f"are of the {name} domain"
    return [f"all training clips {whose}, so there is one bank"]


def in_order(rows: Rows) -> Rows:
    """The rows sorted by their bytes: what is drawn among them by a seed does not depend on how they came."""
    order = sorted(range(len(rows)), key=lambda place: rows[place].tobytes())
    return rows[order]  # type: ignore[return-value]
