"""Clips of a table with the same bytes."""

import re

import pytest

from asdbench.datasets import Dataset, read_folder


@pytest.fixture
def table(make_folder, dcase2023_names) -> Dataset:
    """Copies within the training set, between training and test, and between machine types."""
    root = make_folder({"pump": dcase2023_names(), "fan": dcase2023_names()})
    train, test = (sorted((root / "pump" / split).iterdir()) for split in ("train", "test"))
    for copy in (train[3], train[5], test[0], root / "fan" / "train" / train[0].name):
        copy.write_bytes(train[0].read_bytes())
    return read_folder(root)


def test_each_clip_has_a_row_and_a_key_of_its_own(table):
    assert len({clip.key for clip in table}) == len(table)
    assert len({clip.content for clip in table}) == len(table) - 4
    for machine in table.machines:
        own = table.select(machines=[machine])
        keys = {split: {clip.key for clip in own if clip.split == split} for split in ("train", "test")}
        assert [clip.key for clip in own.blind_view()] == sorted(keys["train"] | keys["test"])
        assert [clip.key for clip in own.training_view()] == sorted(keys["train"])
    assert sorted(table.training_view(), key=lambda clip: clip.key) == sorted(
        (clip for name in table.machines for clip in table.select(machines=[name]).training_view()),
        key=lambda clip: clip.key,
    )


def test_a_clip_without_copies_has_the_digest_for_a_key(table):
    shared = [clip for clip in table if clip.key != clip.content]
    assert sorted((clip.machine, clip.split) for clip in shared) == [
        ("fan", "train"),
        *[("pump", "test")],
        *[("pump", "train")] * 3,
    ]
    assert sorted(clip.key for clip in shared) == [f"{shared[0].content}#{number:06d}" for number in range(1, 6)]


def test_the_number_of_a_copy_does_not_tell_the_split(make_folder, dcase2023_names):
    """Of a hundred clips that are all the same, those to train on stand neither first nor last."""
    root = make_folder({"pump": dcase2023_names(train=50, test=12)})
    one, *others = sorted(root.rglob("*.wav"))
    for path in others:
        path.write_bytes(one.read_bytes())
    table = read_folder(root)
    place = {clip.key: number for number, clip in enumerate(table.blind_view())}
    for few in (
        [place[clip.key] for clip in table if clip.split == "train"],
        [place[clip.key] for clip in table if clip.label == 1],
    ):
        assert abs(sum(few) / len(few) - (len(table) - 1) / 2) < 12  # three standard deviations
    assert all(re.fullmatch(r"[0-9a-f]{32}#[0-9]{6}", clip.key) for clip in table.blind_view())


def test_a_machine_type_is_the_same_beside_others(make_folder, dcase2023_names):
    """The order of its clips, which decides sums and folds, and its fingerprint, which is of the bytes."""
    root = make_folder({name: dcase2023_names(train=20) for name in ("fan", "pump")})
    one, *others = sorted(root.rglob("*.wav"))
    for path in others:
        path.write_bytes(one.read_bytes())

    def seen(table):
        name_of = {clip.key: (clip.split, clip.name) for clip in table}
        return [name_of[clip.key] for clip in table.blind_view()], table.fingerprint

    together = read_folder(root).select(machines=["fan"])
    assert seen(together) == seen(read_folder(root, machines=["fan"]))
