"""Folders of recordings of any names: what is read of them, and what is refused."""

import pytest

from asdbench.core.errors import DataError, UsageError
from asdbench.datasets import read_folder
from asdbench.datasets.inventory import inventory_of


@pytest.fixture
def recordings(tmp_path, write_wav):
    """Makes recordings, each of another sound: ``recordings("pump/a.wav", ...)`` gives the folder."""
    count = iter(range(1000))

    def make(*names):
        for name in names:
            (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
            write_wav(tmp_path / "own" / name, seed=next(count))
        return tmp_path / "own"

    return make


def facts(table):
    return {(c.machine, c.split, c.name): (c.domain, c.label, c.attributes) for c in table}


def test_a_folder_of_recordings_is_one_machine(recordings):
    table = read_folder(recordings("pump_2025-03-01T10-00.wav", "Prüfstand 2.WAV", "anomaly_of_may.flac"))
    assert facts(table) == {  # nothing is guessed from words in free names
        ("own", "train", name): (None, 0, ())
        for name in ("pump_2025-03-01T10-00.wav", "Prüfstand 2.WAV", "anomaly_of_may.flac")
    }
    assert (table.layout, table.labelled, len(table.training("own"))) == ("own", False, 3)


def test_folders_with_recordings_are_machines(recordings):
    root = recordings("pump/a.wav", "fan 2/a.wav", "tomorrow/pump/b.wav")
    (root / "notes.txt").write_text("hello")
    (root / "pump" / "log.csv").write_text("hello")
    table = read_folder(root)
    assert table.machines == ["fan 2", "pump"]
    assert table.notes == ("left aside: notes.txt, tomorrow, pump/log.csv",)
    assert read_folder(root / "pump").machines == ["pump"]
    assert read_folder(root, machines=["pump"]).machines == ["pump"]
    with pytest.raises(UsageError, match=r"no machine 'pmp'\. Did you mean 'pump'"):
        read_folder(root, machines=["pmp"])


def test_folders_of_train_and_test(recordings):
    train = ("train/x.wav", "train/source/x.wav", "train/Target/am/x.wav", "train/pm/x.wav")
    test = ("Test/normal/x.wav", "Test/source/anomalous/x.wav", "Test/abnormal/target/x.wav", "Test/good/x.wav")
    root = recordings(*(f"pump/{name}" for name in train + test))
    expected = {
        ("train", "x.wav"): (None, 0, ()),
        ("train", "source/x.wav"): ("source", 0, ()),
        ("train", "Target/am/x.wav"): ("target", 0, (("folder", "am"),)),
        ("train", "pm/x.wav"): (None, 0, (("folder", "pm"),)),
        ("test", "normal/x.wav"): (None, 0, ()),
        ("test", "source/anomalous/x.wav"): ("source", 1, ()),
        ("test", "abnormal/target/x.wav"): ("target", 1, ()),
        ("test", "good/x.wav"): (None, 0, ()),
    }
    for place in (root, root / "pump"):
        assert facts(read_folder(place)) == {("pump", *key): value for key, value in expected.items()}
    recordings("pump/train/source/am/deep/x.wav")
    with pytest.raises(DataError, match="lies too deep"):
        read_folder(root)


def test_test_clips_without_folders_have_no_label(recordings):
    table = read_folder(recordings("train/a.wav", "test/a.wav"))
    assert facts(table)["own", "test", "a.wav"] == (None, None, ())
    assert not table.labelled


@pytest.mark.parametrize(
    ("names", "protocol", "why"),
    [
        (["normal/a", "anomaly/a"], "dcase2020", "no domains of test clips are known"),
        (["source/normal/a", "source/anomaly/a"], "dcase2020", "all test clips are of the source domain"),
        (["source/normal/a", "target/anomaly/a"], "dcase2020", "not every section normal ones of both"),
        (["source/normal/a", "target/normal/a", "target/anomaly/a"], "dcase2023", None),
    ],
)
def test_the_score_follows_from_the_domains(recordings, names, protocol, why):
    table = read_folder(recordings("train/a.wav", *(f"test/{name}.wav" for name in names)))
    assert table.protocol == protocol
    assert [why in note for note in table.notes] == [True] * bool(why)


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["a.wav", "march/b.wav"], "holds recordings itself (a.wav ...) and in folders: march"),
        (["test/normal/a.wav", "a.wav"], "holds test/ and no train/"),
        (["march/pump/a/b.wav"], "recordings lie deeper, in"),
        (["normal/a.wav", "anomaly/a.wav"], "anomaly, normal beside it would be machines"),
        (["a.wav", "b.mp3"], ".mp3 is not read; convert it to WAV"),
        (["train/anomaly/a.wav"], "a training clip labelled anomalous"),
        (["train/march/section_00_source_train_normal_0000.wav"], "a name of the challenge (one of 1 here)"),
        (["normal_id_00_00000000.wav", "anomaly_id_00_00000000.wav"], "a name of the challenge (one of 2 here)"),
        (["train/a.wav", "train/A.wav"], "has the name of"),
        (["notes.txt"], "holds no recordings"),
        (["train/notes.txt", "test/a.wav"], "train: no recordings"),
    ],
)
def test_folders_that_cannot_be_understood(recordings, names, part):
    root = recordings(*(name for name in names if name.endswith(".wav")), "../other.wav")
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    with pytest.raises(DataError) as caught:
        inventory_of(root).to_dataset()
    assert part in str(caught.value)
    assert "Accepted:" in str(caught.value) or "Use recordings of your own" in str(caught.value)


def test_a_few_bad_names_in_a_challenges_folder_do_not_make_it_a_free_one(make_folder, dcase2023_names):
    names = dcase2023_names()
    pump = {**names, "train": [*names["train"], "pump_2025-03-01.wav"]}
    root = make_folder({"pump": pump, "fan": {"train": ["a.wav"]}})
    with pytest.raises(DataError) as caught:
        read_folder(root)
    assert str(caught.value).count("the name fits no known layout") == 2
    assert read_folder(make_folder({"valve": names}, root.parent / "other") / "valve").layout == "dcase2023"
