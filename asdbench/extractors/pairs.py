"""Pairs of clips of the same class and of different ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from asdbench.extractors.classes import Class

T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """Two clips by key, and whether their classes differ."""

    first: str
    second: str
    different: bool


def draw_pairs(
    own: Mapping[str, Class],
    strangers: Mapping[str, Class],
    pairs: tuple[int, int],
    small: float,
    rng: np.random.Generator,
) -> list[Pair]:
    """Random pairs with as many partners of the same class as of other classes, for every clip.

    Germinario et al. (2022), section 2.2.1 and Table 1: X positive and X negative pairs for a clip, Y of each where
    its class has half the clips. Partners of one clip differ as long as there are enough. Negative partners are
    spread evenly over the other classes. A clip that is alone in its class gets no pairs of its own.

    Args:
        own: class of each clip that gets pairs.
        strangers: more clips that may be negative partners.
        pairs: (X, Y).
        small: a class with at most this part of the largest one's clips gets Y.
        rng: decides the partners.
    """
    sizes = Counter(own.values())
    members: dict[Class, list[str]] = {}
    for key, label in sorted({**strangers, **own}.items()):
        members.setdefault(label, []).append(key)
    drawn = []
    for key, label in sorted(own.items()):
        others = [name for name in members if name != label]
        same = [other for other in members[label] if other != key]
        if not same or not others:
            continue
        count = pairs[1] if sizes[label] <= small * max(sizes.values()) else pairs[0]
        drawn += [Pair(key, partner, False) for partner in _draw(same, count, rng)]
        chosen = Counter(_draw(range(len(others)), count, rng))
        for place, times in sorted(chosen.items()):
            drawn += [Pair(key, partner, True) for partner in _draw(members[others[place]], times, rng)]
    return drawn


def split_clips(
    labels: Mapping[str, Class], part: float, rng: np.random.Generator
) -> tuple[dict[str, Class], dict[str, Class]]:
    """Clips to train on and clips to validate on; of every class, ``part`` of its clips validates."""
    kept: dict[str, Class] = {}
    held_out: dict[str, Class] = {}
    for label in sorted(set(labels.values())):
        keys = sorted(key for key, other in labels.items() if other == label)
        order = rng.permutation(len(keys))
        count = round(part * len(keys))
        held_out |= {keys[place]: label for place in order[:count]}
        kept |= {keys[place]: label for place in order[count:]}
    return kept, held_out


def _draw(choices: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """``count`` of ``choices``, none twice before all were there once."""
    drawn: list[T] = []
    while len(drawn) < count:
        order = rng.permutation(len(choices))[: count - len(drawn)]
        drawn += [choices[place] for place in order]
    return drawn
