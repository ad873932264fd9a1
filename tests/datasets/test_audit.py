"""The audit of a data set with one fault at a time."""

import shutil

import pytest
import soundfile
from tiny_challenge import RATE, audit, make_card, only

from asdbench.core.errors import DataError
from asdbench.core.progress import Silent
from asdbench.datasets.audit import verify
from asdbench.datasets.audit.findings import lacking
from asdbench.datasets.inventory import inventory_of


def test_nothing_is_wrong_with_what_is_right(tiny):
    found = audit(tiny)
    assert found.findings == []
    assert found.not_checked == []
    assert set(found.known_problems) == {"general", "now"}
    assert found.seconds == pytest.approx(28 * 0.5)
    row = found.rows[0]
    assert (row.machine, row.section, row.clips, row.expected) == (
        "fan", "00", {"train": 6, "test": 8}, {"train": 6, "test": 8},
    )  # fmt: skip
    assert (row.rates_hz, row.channels, row.shortest_s, row.longest_s, row.attributes) == (
        (RATE,), (1,), 0.5, 0.5, "known",
    )  # fmt: skip


def test_a_missing_machine_type(tiny):
    shutil.rmtree(tiny / "pump")
    found = audit(tiny)
    finding = only(found)
    assert (finding.kind, finding.machine) == ("missing-machine", "pump")
    assert lacking(found.inventory) == ["pump: nothing of it"]


def test_no_machine_type_at_all(tiny, tmp_path):
    for place in (tmp_path / "nowhere", tiny / "fan" / "train"):
        with pytest.raises(DataError, match="asdbench data download tiny --split dev --data-root") as caught:
            audit(place)
        assert caught.value.exit_code == 3


def test_test_recordings_that_are_not_there_yet(tiny):
    shutil.rmtree(tiny / "pump" / "test")
    found = audit(tiny)
    assert (only(found).kind, only(found).machine, only(found).message) == (
        "missing-split", "pump", "no test recordings",
    )  # fmt: skip
    assert lacking(found.inventory) == ["pump section 00: no test recordings"]


def test_a_missing_section_and_one_half_missing(tiny):
    for path in sorted((tiny / "fan").rglob("*.wav")):
        for section in ("01", "02"):
            if section == "01" or "train" in path.name:
                samples, _ = soundfile.read(path)
                other = path.with_name(path.name.replace("section_00", f"section_{section}"))
                soundfile.write(other, samples * (0.5 if section == "01" else 0.25), RATE)
    found = audit(tiny, make_card(sections=["00", "01", "02"], machines={"fan": {}, "pump": {}}))
    assert [(one.kind, one.machine, one.section) for one in found.findings] == [
        ("missing-split", "fan", "02"),
        ("missing-section", "pump", "01"),
        ("missing-section", "pump", "02"),
    ]


def test_counts_by_domain_and_label(tiny):
    (tiny / "fan" / "test" / "section_00_source_test_anomaly_0001_vel_1.wav").unlink()
    (tiny / "fan" / "train" / "section_00_target_train_normal_0001_vel_2.wav").rename(
        tiny / "fan" / "train" / "section_00_source_train_normal_0009_vel_2.wav"
    )
    found = audit(tiny)
    assert [(one.kind, one.section, one.message) for one in found.findings] == [
        ("count", "00", "train clips: 5 source instead of 4, 1 target instead of 2"),
        ("count", "00", "test clips: 1 source anomalous instead of 2"),
    ]


def blind(tiny, domains=False):
    """Take the labels from the test clips' names."""
    for machine in ("fan", "pump"):
        for i, path in enumerate(sorted((tiny / machine / "test").iterdir())):
            domain = f"_{'source' if 'source' in path.name else 'target'}_test" if domains else ""
            path.rename(path.with_name(f"section_00{domain}_{i:04d}.wav"))


@pytest.mark.parametrize(
    ("domains", "message"),
    [(False, "test clips: 7 instead of 8"), (True, "test clips: 3 source instead of 4")],
)
def test_counts_without_labels_are_compared_as_far_as_names_tell(tiny, domains, message):
    blind(tiny, domains)
    assert audit(tiny, make_card(labelled=False)).findings == []
    sorted((tiny / "fan" / "test").iterdir())[0].unlink()
    assert only(audit(tiny, make_card(labelled=False))).message == message


def test_test_clips_that_should_tell_their_label(tiny):
    blind(tiny)
    found = audit(tiny)
    assert {(one.kind, one.machine, len(one.files)) for one in found.findings} == {
        ("label", "fan", 8), ("label", "pump", 8),
    }  # fmt: skip


def test_counts_that_the_card_does_not_know_are_reported_as_unchecked(tiny):
    found = audit(tiny, make_card(counts={"test": {"clips": 8}}))
    assert found.findings == []
    assert found.not_checked == ["number of train clips of fan, pump: the card does not know it"]
    assert found.rows[0].expected == {"test": 8}


def test_supplemental_clips_are_counted(tiny, write_wav):
    assert {one.message for one in audit(tiny, make_card(supplemental=1)).findings} == {
        "supplemental clips: 0 instead of 1"
    }
    for seed, machine in enumerate(("fan", "pump")):
        write_wav(tiny / machine / "supplemental" / "section_00_noise_0000.wav", seed=100 + seed)
    assert audit(tiny, make_card(supplemental=1)).findings == []


def test_sections_of_the_other_split_are_left_out_and_reported(tiny, write_wav):
    write_wav(tiny / "fan" / "test" / "section_03_0000.wav", seed=99)
    found = audit(tiny)
    assert found.findings == []
    assert found.not_checked == ["1 recording of fan, of sections that are not of this split: left out"]


def test_names_of_another_year(tiny):
    for path in tiny.rglob("*.wav"):
        number = int(path.stem.split("_")[5]) + 4 * ("target" in path.name)
        label = "anomaly" if "anomaly" in path.name else "normal"
        path.rename(path.with_name(f"{label}_id_00_{number:08d}.wav"))
    found = audit(tiny)
    assert "the layout is not dcase2023 as the card says: 28 recordings of dcase2020" in [
        one.message for one in found.findings
    ]


def test_two_layouts_in_a_folder(tiny, write_wav):
    write_wav(tiny / "fan" / "train" / "normal_id_00_00000000.wav", seed=99)
    found = verify(inventory_of(tiny), 2, Silent())
    assert "layout" in {one.kind for one in found.findings if one.level == "error"}


def test_names_folders_and_attribute_files_that_cannot_be_used(tiny, write_wav):
    write_wav(tiny / "fan" / "train" / "strange.wav", seed=99)
    write_wav(tiny / "fan" / "test" / "section_00_source_train_normal_0007_vel_1.wav", seed=98)
    (tiny / "fan" / "test" / "notes.txt").write_text("hello")
    (tiny / "fan" / "attributes_00.csv").write_text("a.wav,vel,1\na.wav,vel,2\n")
    finding = only(audit(tiny))
    assert (finding.kind, finding.machine) == ("file", "fan")
    assert [(place.file, place.note) for place in finding.files] == [
        ("fan/attributes_00.csv:2", "a stands twice with different attributes"),
        ("fan/train/strange.wav", "the name fits no known layout"),
        ("fan/test/notes.txt", "not a .wav or .flac file"),
        ("fan/test/section_00_source_train_normal_0007_vel_1.wav", "the name says train, the folder test"),
    ]


def test_attributes_that_the_card_does_not_hide(tiny):
    for path in (tiny / "fan").rglob("*.wav"):
        path.rename(path.with_name(path.name.replace("_vel_1", "_noAttribute").replace("_vel_2", "")))
    found = audit(tiny)
    assert [(one.kind, one.level, one.machine, len(one.files)) for one in found.findings] == [
        ("attributes", "warning", "fan", 6), ("attributes", "warning", "fan", 8),
    ]  # fmt: skip
    assert found.rows[0].attributes == "none"
    hidden = make_card(machines={"fan": {"attributes_hidden": True}, "pump": {}})
    assert audit(tiny, hidden).findings == []
    assert audit(tiny, hidden).rows[0].attributes == "hidden"
    assert verify(inventory_of(tiny), 2, Silent()).findings == []  # no card, and none has any


@pytest.mark.parametrize(
    ("one", "other", "kind", "level"),
    [
        ("fan/train/section_00_source_train_normal_0001_vel_1", "fan/test/section_00_source_test_normal_0001_vel_1",
         "leak", "error"),
        ("fan/train/section_00_source_train_normal_0001_vel_1", "pump/test/section_00_source_test_normal_0001_vel_1",
         "leak", "error"),
        ("fan/train/section_00_source_train_normal_0001_vel_1", "pump/train/section_00_source_train_normal_0001_vel_1",
         "across-machines", "error"),
        ("fan/test/section_00_source_test_normal_0001_vel_1", "fan/test/section_00_source_test_anomaly_0001_vel_1",
         "two-labels", "error"),
        ("fan/train/section_00_source_train_normal_0001_vel_1", "fan/train/section_00_source_train_normal_0002_vel_1",
         "duplicate", "warning"),
    ],
)  # fmt: skip
def test_the_same_recording_twice(tiny, one, other, kind, level):
    shutil.copy(tiny / f"{one}.wav", tiny / f"{other}.wav")
    finding = only(audit(tiny), level)
    assert finding.kind == kind
    (place,) = finding.files
    assert {place.file, place.note.removeprefix("= ")} == {f"{one}.wav", f"{other}.wav"}


def test_the_same_sound_in_a_file_of_another_kind(tiny):
    source = tiny / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav"
    copy = tiny / "fan" / "test" / "section_00_source_test_normal_0001_vel_1.wav"
    copy.unlink()
    soundfile.write(copy.with_suffix(".flac"), soundfile.read(source, dtype="int16")[0], RATE)
    assert only(audit(tiny)).kind == "leak"


def test_everything_wrong_at_once_is_all_reported(tiny):
    shutil.rmtree(tiny / "pump")
    path = tiny / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav"
    shutil.copy(path, tiny / "fan" / "test" / "section_00_source_test_normal_0001_vel_1.wav")
    (tiny / "fan" / "test" / "section_00_source_test_normal_0000_vel_1.wav").write_bytes(b"")
    (tiny / "fan" / "test" / "section_00_target_test_normal_0000_vel_1.wav").unlink()
    kinds = [one.kind for one in audit(tiny).findings]
    assert sorted(kinds) == ["count", "leak", "missing-machine", "unusable"]
