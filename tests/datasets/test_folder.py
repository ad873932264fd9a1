import os
import shutil
import time

import pytest

import asdbench as asd
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
            "fan": {"train": [], "test": names["test"]},
            "valve": {"test": names["test"], "train": [names["test"][0]]},
        }
    )
    (root / "pump" / "test" / "notes.txt").write_text("hello")
    (root / "pump" / "test" / "gone.wav").symlink_to(root / "nowhere.wav")
    (root / "pump" / "train" / "folder.wav").mkdir()
    with pytest.raises(DataError) as caught:
        read_folder(root)
    message = str(caught.value)
    for part in (
        "section_00_source_train_anomaly_0000.wav: a training clip labelled anomalous",
        "strange.wav: the name fits no known layout",
        f"{root / 'fan' / 'train'}: no recordings",
        "the name says test, the folder train",
        "notes.txt: not a .wav or .flac file",
        "gone.wav: a link that leads nowhere",
        "folder.wav: not a .wav or .flac file",
    ):
        assert part in message
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
    ("prepare", "part"),
    [
        (lambda root: root.mkdir(), "holds no recordings"),
        (lambda root: None, "There is no folder"),
        (lambda root: [(root / split).mkdir(parents=True) for split in ("train", "test")], "x/train: no recordings"),
    ],
)
def test_folders_that_are_no_data_set(tmp_path, prepare, part):
    prepare(tmp_path / "x")
    with pytest.raises(DataError, match=part):
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("test/section_00_source_test_normal_0000_vel_1.wav", "test/section_00_source_test_normal_0000_vel_1.flac"),
        ("train/section_00_source_train_normal_0000_vel_1.wav", "train/section_00_source_train_normal_0000_vel_1.WAV"),
        ("test/section_00_source_test_normal_0000_vel_1.wav", "test/section_00_source_test_normal_0000_VEL_1.wav"),
        ("source_test/section_00_source_test_normal_0000.wav", "test/section_00_source_test_normal_0000.wav"),
        ("source_test/section_00_0000.wav", "target_test/section_00_0000.wav"),
    ],
)
def test_names_that_stand_for_two_recordings(make_folder, dcase2023_names, write_wav, one, other):
    root = make_folder({"pump": dcase2023_names()})
    for number, name in enumerate((one, other)):
        written = write_wav(root / "pump" / "new.wav", seed=number)
        (root / "pump" / name).parent.mkdir(exist_ok=True)
        written.rename(root / "pump" / name)
    with pytest.raises(DataError) as caught:
        read_folder(root)
    assert f"{root / 'pump' / one}: has the name of " in str(caught.value)
    assert f"{root / 'pump' / other}: has the name of " in str(caught.value)


def test_one_name_in_training_and_test_is_as_in_2020(make_folder):
    names = ["normal_id_00_00000000.wav"]
    assert len(read_folder(make_folder({"pump": {"train": names, "test": names}}))) == 2


BAD_NAMES = ["f\udce4n", "fan\x1b[31m", "fan\n", "fan\x9b", "nan\u202e", "fan\u2028", "\ufefffan"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_folders_with_names_that_cannot_be_printed(make_folder, dcase2023_names, tmp_path, name):
    root = make_folder({"fan": dcase2023_names()})
    (root / "fan").rename(root / name)
    with pytest.raises(DataError, match="Rename them") as caught:
        read_folder(root)
    assert str(caught.value).replace("\n", " ").isprintable()
    (root / name).rename(root / "fan")
    root.rename(tmp_path / name)
    with pytest.raises(DataError, match="Rename them") as caught:
        read_folder(tmp_path / name)
    assert str(caught.value).replace("\n", " ").isprintable()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_files_with_names_that_cannot_be_printed(make_folder, dcase2023_names, name):
    root = make_folder({"fan": dcase2023_names()})
    victim = root / "fan" / "train" / "section_00_source_train_normal_0000_vel_1.wav"
    victim.rename(victim.with_name(f"section_00_source_train_normal_0000_{name}_1.wav"))
    (root / "fan" / "attributes_00.csv").write_text(
        f"file_name,d1p,d1v\nx.wav,vel,1{name}2\n", encoding="utf-8", errors="replace"
    )
    with pytest.raises(DataError, match="the name is not UTF-8, or holds") as caught:
        read_folder(root)
    assert str(caught.value).replace("\n", " ").isprintable()


@pytest.mark.parametrize("name", ["Lüfter", "装置　１", "دستگاه\u200cها", "fan 1 (new)"])
def test_names_of_all_writings_are_used(make_folder, dcase2023_names, name):
    assert read_folder(make_folder({name: dcase2023_names()})).machines == [name]


def test_a_name_of_2020_in_a_folder_of_2021_tells_no_domain(make_folder, dcase2023_names):
    root = make_folder({"fan": {**dcase2023_names(), "source_test": ["normal_id_00_00000000.wav"]}})
    with pytest.raises(DataError, match="the name is one of dcase2020, the folder source_test one of dcase2021"):
        read_folder(root)


def test_every_recording_that_cannot_be_read_is_listed(make_folder, dcase2023_names, monkeypatch):
    root = make_folder({"fan": dcase2023_names()})
    victims = sorted((root / "fan" / "test").iterdir())[3:5]
    opened = type(root).open

    def refuse(path, *part, **options):
        if path in victims:
            raise OSError(5, "Input/output error", str(path))
        return opened(path, *part, **options)

    monkeypatch.setattr(type(root), "open", refuse)
    with pytest.raises(DataError, match=r"2 recording\(s\) of recordings cannot be read") as caught:
        read_folder(root)
    assert all(f"{victim}: Input/output error" in str(caught.value) for victim in victims)


def test_a_large_folder_is_listed_in_linear_time(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "fan" / split).mkdir(parents=True)
    for number in range(4000):
        (tmp_path / "fan" / "train" / f"section_00_source_train_normal_{number:04d}.wav").touch()
    (tmp_path / "fan" / "test" / "section_00_source_test_normal_0000.wav").touch()
    start = time.process_time()
    table = read_folder(tmp_path)
    assert len(table) == 4001
    assert time.process_time() - start < 2  # quadratic, it took 8 s of 8000


def test_what_lies_beside_the_folders_of_the_splits_is_named(cli, make_folder, write_wav, dcase2023_names):
    root = make_folder({"pump": dcase2023_names()})
    (root / "pump" / "attributes_00.csv").write_text("file_name,d1p,d1v\n")
    write_wav(root / "pump" / "section_00_source_train_normal_9999_vel_1.wav")
    write_wav(root / "pump" / "Train" / "section_00_source_train_normal_9998_vel_1.wav")
    (note,) = [note for note in asd.load(root).notes if note.startswith("left aside")]
    assert note == "left aside: pump/Train, pump/section_00_source_train_normal_9999_vel_1.wav"
    told = cli("data", "info", root).out
    assert "left aside: pump/Train: a folder" in told
    assert "9999_vel_1.wav: a recording beside train/" in told
