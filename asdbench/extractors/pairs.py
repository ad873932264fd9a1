"""Classes of training clips, and pairs of clips of the same class and of different ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from asdbench.datasets.clips import TrainingClip

T = TypeVar("T")
Class = tuple[str, ...]


def classes_of(clips: Sequence[TrainingClip]) -> Mapping[str, Class]:
    """Class of each clip by its key: machine type and section, or attributes where the machine type has one section.

    A machine type with one section and no attributes is one class.
    """
    sections: dict[str, set[str]] = {}
    for clip in clips:
        sections.setdefault(clip.machine, set()).add(clip.section)
    return {
        clip.key: (
            (clip.machine, clip.section)
            if len(sections[clip.machine]) > 1
            else (clip.machine, *(f"{name}={value}" for name, value in clip.attributes))
        )
        for clip in clips
    }


@dataclass(frozen=True)
class Pair:
    """Two clips by key, and whether their classes differ."""

    first: str
    second: str
    different: bool


def draw_pairs(
    classes: Mapping[str, Class],
    others: Mapping[str, Class],
    pairs: tuple[int, int],
    small: float,
    rng: np.random.Generator,
) -> list[Pair]:
    """Random pairs with as many partners of the same class as of other classes, for every clip.

    Germinario et al. (2022), section 2.2.1 and Table 1: X positive and X negative pairs for a clip, Y of each where
    its class has half the clips. Partners of one clip differ as long as there are enough. Negative partners are
    spread evenly over the other classes. A clip that is alone in its class gets no pairs.

    Args:
        classes: class of each clip that gets pairs.
        others: more clips that may be negative partners.
        pairs: (X, Y).
        small: a class with at most this share of the largest one's clips gets Y.
        rng: decides the partners.
    """
    sizes = Counter(classes.values())
    members: dict[Class, list[str]] = {}
    for key, label in sorted({**others, **classes}.items()):
        members.setdefault(label, []).append(key)
    drawn = []
    for key, label in sorted(classes.items()):
        different = [other for other in members if other != label]
        same = [other for other in members[label] if other != key]
        if not same or not different:
            continue
        count = pairs[1] if sizes[label] <= small * max(sizes.values()) else pairs[0]
        drawn += [Pair(key, partner, False) for partner in _draw(same, count, rng)]
        chosen = Counter(_draw(range(len(different)), count, rng))
        for place, times in sorted(chosen.items()):
            drawn += [Pair(key, partner, True) for partner in _draw(members[different[place]], times, rng)]
    return drawn


def split_clips(
    labels: Mapping[str, Class], share: float, rng: np.random.Generator
) -> tuple[dict[str, Class], dict[str, Class]]:
    """Clips to train on and clips to validate on; of every class, a ``share`` of its clips validates."""
    trained: dict[str, Class] = {}
    validated: dict[str, Class] = {}
    for label in sorted(set(labels.values())):
        keys = sorted(key for key, other in labels.items() if other == label)
        order = rng.permutation(len(keys))
        count = round(share * len(keys))
        validated |= {keys[place]: label for place in order[:count]}
        trained |= {keys[place]: label for place in order[count:]}
    return trained, validated


def _draw(choices: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """``count`` of ``choices``, none twice before all were there once."""
    drawn: list[T] = []
    while len(drawn) < count:
        order = rng.permutation(len(choices))[: count - len(drawn)]
        drawn += [choices[place] for place in order]
    return drawn
