"""The one choice that looks at labels: configurations that score badly on development data."""

from collections.abc import Mapping
from typing import TypeVar

Name = TypeVar("Name")


def vetoed(scores: Mapping[Name, float], points: float) -> dict[Name, float]:
    """How far configurations lie below the best on labelled development data, those that lie too far.

    Mkrtchian (2026, DACo) leaves out such configurations before he takes the one that is balanced best: a scorer that
    draws at random is balanced.

    Args:
        scores: official scores on the development data (fractions), by configuration.
        points: the largest difference (percent points) that is let pass.
    """
    best = max(scores.values(), default=0.0)
    return {name: best - score for name, score in scores.items() if 100 * (best - score) > points + 1e-9}
