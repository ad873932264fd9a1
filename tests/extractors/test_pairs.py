from collections import Counter

import numpy as np
import pytest

from asdbench.datasets import TrainingClip
from asdbench.extractors.pairs import classes_of, draw_pairs, split_clips


def labels(**sizes):
    return {f"{name}{number}": (name,) for name, size in sizes.items() for number in range(size)}


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("wanted", [(2, 4), (3, 6), (4, 8)])
def test_every_clip_has_as_many_partners_of_its_class_as_of_others(wanted):
    own = labels(a=20, b=20, c=10)
    pairs = draw_pairs(own, {}, wanted, 0.67, rng())
    for key, label in own.items():
        mine = [pair for pair in pairs if pair.first == key]
        same = [pair.second for pair in mine if not pair.different]
        others = [pair.second for pair in mine if pair.different]
        expected = wanted[1] if label == ("c",) else wanted[0]
        assert len(same) == len(others) == expected
        assert len(set(same)) == len(same)
        assert len(set(others)) == len(others)
        assert key not in same
        assert {own[partner] for partner in same} == {label}
        assert label not in {own[partner] for partner in others}


def test_classes_with_half_the_clips_are_as_frequent_as_the_others():
    own = labels(a=40, b=40, c=20)
    anchors = Counter(own[pair.first] for pair in draw_pairs(own, {}, (2, 4), 0.67, rng()))
    assert set(anchors.values()) == {160}


def test_negative_partners_are_spread_over_the_other_classes():
    own = labels(a=10, b=10, c=10)
    for key in own:
        others = [
            pair.second for pair in draw_pairs(own, {}, (2, 4), 0.67, rng()) if pair.first == key and pair.different
        ]
        assert len({own[partner] for partner in others}) == 2


def test_strangers_are_negative_partners_only():
    own, strangers = labels(a=6), labels(x=3, y=3)
    pairs = draw_pairs(own, strangers, (2, 4), 0.67, rng())
    assert {pair.first for pair in pairs} == set(own)
    assert {pair.second for pair in pairs if not pair.different} <= set(own)
    assert {pair.second for pair in pairs if pair.different} <= set(strangers)
    assert Counter(pair.different for pair in pairs) == {True: 12, False: 12}


def test_few_partners_are_taken_again_and_a_clip_alone_gets_no_pairs():
    pairs = draw_pairs(labels(a=2, b=1), {}, (3, 6), 0.67, rng())
    assert Counter((pair.first, pair.second) for pair in pairs) == {
        ("a0", "a1"): 3, ("a0", "b0"): 3, ("a1", "a0"): 3, ("a1", "b0"): 3,
    }  # fmt: skip


def test_one_class_without_strangers_gives_no_pairs():
    assert draw_pairs(labels(a=5), {}, (2, 4), 0.67, rng()) == []


def test_validation_takes_its_part_of_every_class_clip_by_clip():
    own = labels(a=50, b=20, c=2)
    kept, held_out = split_clips(own, 0.2, rng())
    assert kept | held_out == own
    assert not set(kept) & set(held_out)
    assert Counter(held_out.values()) == {("a",): 10, ("b",): 4}


def clip(key, machine="fan", section="00", **attributes):
    return TrainingClip(key, machine, section, "source", tuple(attributes.items()))


def test_classes_are_sections_and_attributes_where_there_is_one_section():
    clips = [clip("1"), clip("2", section="01", vel="3"), clip("3", "valve", vel="1"), clip("4", "valve", vel="2")]
    assert classes_of(clips) == {
        "1": ("fan", "00"), "2": ("fan", "01"), "3": ("valve", "vel=1"), "4": ("valve", "vel=2"),
    }  # fmt: skip
