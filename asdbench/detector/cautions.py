"""What a user should know of the healthy clips that a threshold rests on, and of scores that are unlike theirs."""

from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from asdbench.core.texts import first_of

FENCE = 3.0  # times the quartiles' distance above the upper one: far out (Tukey, Exploratory Data Analysis, 1977)
NAMED = 5
FEW = 40  # healthy clips
TENTH = 0.1
SURPRISING = 1e-3  # a note is made where so many small p-values are less likely than this
FEWEST = 10  # recordings of which that is asked


def standing_out(machine: str, names: Sequence[str], scores: NDArray[np.float64]) -> list[str]:
    """Healthy clips that score far above the others, which raise the threshold: a line that names them, or none."""
    lower, upper = np.quantile(scores, [0.25, 0.75])
    far = [place for place in np.argsort(-scores) if scores[place] > upper + FENCE * (upper - lower)]
    if not far:
        return []
    shown = first_of([f"{names[place]} ({scores[place]:.3g})" for place in far], NAMED)
    median = float(np.median(scores))
    return [
        f"{len(far)} of {len(scores)} healthy clips of {machine} score far above the others (median {median:.3g}) and "
        f"raise the threshold: {shown}. Listen to them, and leave out what was not healthy"
    ]


def few(machine: str, count: int) -> list[str]:
    """A line where a threshold rests on few clips, or none."""
    if count >= FEW:
        return []
    return [
        f"the threshold of {machine} rests on {count} healthy clips, and is rough: twice the false alarms are possible"
    ]


def unlike_healthy(p_values: NDArray[np.float64]) -> list[str]:
    """A line where far more recordings than a tenth are among the most unusual tenth of the healthy clips, or none."""
    count, unusual = len(p_values), int((p_values <= TENTH).sum())
    if count < FEWEST:
        return []
    chance = sum(comb(count, k) * TENTH**k * (1 - TENTH) ** (count - k) for k in range(unusual, count + 1))
    if chance >= SURPRISING:
        return []
    return [
        f"{unusual} of {count} recordings score like the most unusual tenth of the healthy clips; of a healthy machine "
        f"{count * TENTH:.0f} would. Their p-values tell which; a higher --false-alarms calls more of them anomalous."
    ]
