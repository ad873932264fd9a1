"""The factory: free names, the same recordings each time, and a table that says which are anomalous."""

import re

import asdbench as asd
from asdbench.core.progress import Silent
from asdbench.datasets import read_folder

SMALL = {"clip_s": 1.0, "healthy": 5, "tomorrow": 4, "anomalies": 2}


def test_a_factory(tmp_path):
    asd.build("factory", **SMALL).make(tmp_path / "factory", 2, Silent())
    root = tmp_path / "factory"
    names = [path.name for path in root.rglob("*.wav")]
    assert len(set(names)) == len(names) == 2 * 9
    assert all(re.fullmatch(r"(pump|fan)_2025-03-\d\dT\d\d-\d0\.wav", name) for name in names)
    healthy, table = read_folder(root), read_folder(root / "clips.csv")
    assert (healthy.machines, len(healthy), healthy.labelled) == (["fan", "pump"], 10, False)
    tomorrow = [clip for clip in table if clip.split == "test"]
    assert len(table) == 18
    assert {clip.path.parent for clip in tomorrow} == {root / "tomorrow" / "fan", root / "tomorrow" / "pump"}
    assert sum(clip.label for clip in tomorrow) == 4
    assert [bool(clip.attributes) for clip in tomorrow] == [clip.label == 1 for clip in tomorrow]
    assert len({clip.content for clip in table}) == 18
    asd.build("factory", **SMALL).make(tmp_path / "again", 1, Silent())
    assert read_folder(tmp_path / "again" / "clips.csv").fingerprint == table.fingerprint


def test_the_card_is_the_table():
    data = asd.load("factory", **SMALL)
    assert (data.name, data.machines, data.labelled, data.protocol) == ("factory", ["fan", "pump"], True, "dcase2020")
