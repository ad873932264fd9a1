import os
import shutil

import pytest

from asdbench.core.errors import DataError, UsageError
from asdbench.datasets import read_folder
from asdbench.datasets.contents import ContentDigests


def test_2023_table(make_folder, dcase2023_names):
    table = read_folder(make_folder({"pump": dcase2023_names(), "fan": dcase2023_names()}))
    assert table.machines == ["fan", "pump"]
    assert len(table) == 2 * (10 + 12)
    clip = next(clip for clip in table if clip.name == "section_00_target_train_normal_0001_vel_2.wav")
    assert (clip.machine, clip.section, clip.domain, clip.split, clip.label) == ("fan", "00", "target", "train", 0)
    assert clip.attributes == (("vel", "2"),)
    assert sum(clip.label == 1 for clip in table) == 12


def test_2020_table(make_folder):
    train = [f"normal_id_0{i}_0000000{n}.wav" for i in (0, 2) for n in range(2)]
    test = [f"{label}_id_0{i}_00000000.wav" for i in (0, 2) for label in ("normal", "anomaly")]
    table = read_folder(make_folder({"slider": {"train": train, "test": test}}))
    assert table.layout == "dcase2020"
    assert table.sections == [("slider", "00"), ("slider", "02")]
    assert {clip.domain for clip in table} == {None}


def test_the_fingerprint_is_of_the_content_not_of_the_place(make_folder, dcase2023_names, tmp_path):
    root = make_folder({"pump": dcase2023_names()})
    before = read_folder(root).fingerprint
    shutil.copytree(root, tmp_path / "elsewhere")
    assert read_folder(tmp_path / "elsewhere").fingerprint == before
    victim = next((tmp_path / "elsewhere" / "pump" / "test").iterdir())
    victim.write_bytes(victim.read_bytes()[:-2] + b"\x00\x01")
    assert read_folder(tmp_path / "elsewhere").fingerprint != before


def test_remembered_digests_notice_a_changed_file(make_folder, dcase2023_names, tmp_path):
    root = make_folder({"pump": dcase2023_names()})
    memory = tmp_path / "memory"
    first = read_folder(root, digests=ContentDigests(memory)).fingerprint
    assert read_folder(root, digests=ContentDigests(memory)).fingerprint == first
    victim = sorted((root / "pump" / "train").iterdir())[0]
    state = victim.stat()
    victim.write_bytes(victim.read_bytes()[:-2] + b"\x00\x01")
    os.utime(victim, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert read_folder(root, digests=ContentDigests(memory)).fingerprint != first


def test_all_problems_are_listed_at_once(make_folder, dcase2023_names):
    names = dcase2023_names()
    root = make_folder(
        {
            "pump": {**names, "train": [*names["train"], "section_00_source_train_anomaly_0000.wav", "strange.wav"]},
            "fan": {"train": names["train"]},
            "valve": {"test": names["test"], "train": [names["test"][0]]},
        }
    )
    (root / "pump" / "test" / "notes.txt").write_text("hello")
    (root / "pump" / "test" / "gone.wav").symlink_to(root / "nowhere.wav")
    (root / "pump" / "train" / "folder.wav").mkdir()
    with pytest.raises(DataError) as caught:
        read_folder(root)
    message = str(caught.value)
    for words in (
        "section_00_source_train_anomaly_0000.wav: a training clip labelled anomalous",
        "strange.wav: the name fits no known layout",
        f"{root / 'fan' / 'test'}: no recordings",
        "the name says test, the folder train",
        "notes.txt: not a .wav or .flac file",
        "gone.wav: a link that leads nowhere",
        "folder.wav: not a .wav or .flac file",
    ):
        assert words in message
    assert caught.value.exit_code == 3


def test_the_list_of_problems_is_never_cut_short(make_folder, dcase2023_names):
    names = dcase2023_names()
    root = make_folder({"pump": {**names, "train": [*names["train"], *(f"strange{i:02d}.wav" for i in range(30))]}})
    with pytest.raises(DataError) as caught:
        read_folder(root)
    assert all(f"strange{i:02d}.wav" in str(caught.value) for i in range(30))


def test_machines_that_are_not_picked_are_not_looked_at(make_folder, dcase2023_names):
    root = make_folder({"pump": dcase2023_names(), "fan": {"train": ["strange.wav"]}})
    assert read_folder(root, machines=["pump"]).machines == ["pump"]
    with pytest.raises(UsageError, match=r"has no machine 'pmp'\. Did you mean 'pump'"):
        read_folder(root, machines=["pmp"])


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda root: root.mkdir(), "holds no machine"),
        (lambda root: None, "There is no folder"),
        (lambda root: [(root / split).mkdir(parents=True) for split in ("train", "test")], "the folder of one machine"),
    ],
)
def test_folders_that_are_no_data_set(tmp_path, prepare, words):
    prepare(tmp_path / "x")
    with pytest.raises(DataError, match=words):
        read_folder(tmp_path / "x")


def test_two_layouts_in_one_folder(make_folder, dcase2023_names):
    names = {"train": ["normal_id_00_00000000.wav"], "test": ["anomaly_id_00_00000000.wav"]}
    with pytest.raises(DataError, match="mixes two layouts"):
        read_folder(make_folder({"pump": dcase2023_names(), "fan": names}))


def test_views_hold_no_name_label_or_order(make_folder, dcase2023_names):
    table = read_folder(make_folder({"pump": dcase2023_names()}))
    blind = table.blind_view()
    assert {name for clip in blind for name in clip.__slots__} == {"key", "machine", "section"}
    assert [clip.key for clip in blind] == sorted(clip.key for clip in blind)
    assert {clip.key for clip in table.training_view()} == {clip.key for clip in table if clip.split == "train"}
