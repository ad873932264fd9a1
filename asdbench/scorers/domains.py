"""Training rows by domain, and in an order of their own."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from asdbench.scorers.bank import Places
from asdbench.scorers.base import Clips

SOURCE, TARGET, UNKNOWN = "source", "target", "unknown"
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
