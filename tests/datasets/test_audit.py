"""The audit of a data set with one fault at a time."""

import shutil

import numpy as np
import pytest
import soundfile

from asdbench.core.errors import DataError
from asdbench.core.progress import Silent
from asdbench.datasets.audit import verify
from asdbench.datasets.audit.findings import lacking
from asdbench.datasets.challenge import inventory_of_challenge
from asdbench.datasets.inventory import inventory_of_folder
from asdbench.registry.challenge_card import ChallengeCard

RATE = 16000


def make_card(**own):
    """Two machine types of 4 + 2 training and 2 + 2 + 2 + 2 test clips."""
    split = {
        "sections": ["00"],
        "labelled": True,
        "zips": ["https://example.org/files/dev_{machine}.zip"],
        "counts": {
            "train": {"source": 4, "target": 2},
            "test": dict.fromkeys(("source_normal", "source_anomaly", "target_normal", "target_anomaly"), 2),
        },
        "clip_s": [0.5, 0.5],
        "machines": {"fan": {}, "pump": {}},
    }
    card = {
        "summary": "Tiny.", "description": "Tiny.", "year": 2023, "protocol": "dcase2023", "layout": "dcase2023",
        "licence": "none", "sample_rate_hz": RATE, "channels": 1, "splits": {"dev": {**split, **own}},
        "problems": {
            "general": "Something.", "later": "The evaluation data are odd.", "now": "Development data are odd.",
        },
    }  # fmt: skip
    return ChallengeCard.model_validate(card)


def names():
    train = [f"section_00_source_train_normal_{i:04d}_vel_1.wav" for i in range(4)]
    train += [f"section_00_target_train_normal_{i:04d}_vel_2.wav" for i in range(2)]
    test = [
        f"section_00_{domain}_test_{label}_{i:04d}_vel_1.wav"
        for domain in ("source", "target")
        for label in ("normal", "anomaly")
        for i in range(2)
    ]
    return {"train": train, "test": test}


@pytest.fixture
def root(make_folder):
    return make_folder({"fan": names(), "pump": names()})


def audit(root, card=None, **more):
    inventory = inventory_of_challenge("tiny", card or make_card(), "dev", root)
    return verify(inventory, 2, Silent(), **more)


def only(found, level="error"):
    assert [one.level for one in found.findings] == [level], found.findings
    return found.findings[0]


def test_nothing_is_wrong_with_what_is_right(root):
    found = audit(root)
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


def test_a_missing_machine_type(root):
    shutil.rmtree(root / "pump")
    found = audit(root)
    finding = only(found)
    assert (finding.kind, finding.machine) == ("missing-machine", "pump")
    assert lacking(found.inventory) == ["pump: nothing of it"]


def test_no_machine_type_at_all(root, tmp_path):
    for place in (tmp_path / "nowhere", root / "fan" / "train"):
        with pytest.raises(DataError, match="asdbench data download tiny --split dev --data-root") as caught:
            audit(place)
        assert caught.value.exit_code == 3


def test_test_recordings_that_are_not_there_yet(root):
    shutil.rmtree(root / "pump" / "test")
    found = audit(root)
    assert (only(found).kind, only(found).machine, only(found).message) == (
        "missing-split", "pump", "no test recordings",
    )  # fmt: skip
    assert lacking(found.inventory) == ["pump section 00: no test recordings"]


def test_a_missing_section_and_one_half_missing(root):
    for path in sorted((root / "fan").rglob("*.wav")):
        for section in ("01", "02"):
            if section == "01" or "train" in path.name:
                samples, _ = soundfile.read(path)
                other = path.with_name(path.name.replace("section_00", f"section_{section}"))
                soundfile.write(other, samples * (0.5 if section == "01" else 0.25), RATE)
    found = audit(root, make_card(sections=["00", "01", "02"], machines={"fan": {}, "pump": {}}))
    assert [(one.kind, one.where) for one in found.findings] == [
        ("missing-split", "fan section 02"),
        ("missing-section", "pump section 01"),
        ("missing-section", "pump section 02"),
    ]


def test_counts_by_domain_and_label(root):
    (root / "fan" / "test" / "section_00_source_test_anomaly_0001_vel_1.wav").unlink()
    (root / "fan" / "train" / "section_00_target_train_normal_0001_vel_2.wav").rename(
        root / "fan" / "train" / "section_00_source_train_normal_0009_vel_2.wav"
    )
    found = audit(root)
    assert [(one.kind, one.where, one.message) for one in found.findings] == [
        ("count", "fan section 00", "train clips: 5 source instead of 4, 1 target instead of 2"),
        ("count", "fan section 00", "test clips: 1 source anomalous instead of 2"),
    ]


def blind(root, domains=False):
    """Take the labels from the test clips' names."""
    for machine in ("fan", "pump"):
        for i, path in enumerate(sorted((root / machine / "test").iterdir())):
            domain = f"_{'source' if 'source' in path.name else 'target'}_test" if domains else ""
            path.rename(path.with_name(f"section_00{domain}_{i:04d}.wav"))


@pytest.mark.parametrize(
    ("domains", "message"),
    [(False, "test clips: 7 instead of 8"), (True, "test clips: 3 source instead of 4")],
)
def test_counts_without_labels_are_compared_as_far_as_names_tell(root, domains, message):
    blind(root, domains)
    assert audit(root, make_card(labelled=False)).findings == []
    sorted((root / "fan" / "test").iterdir())[0].unlink()
    assert only(audit(root, make_card(labelled=False))).message == message


def test_test_clips_that_should_tell_their_label(root):
    blind(root)
    found = audit(root)
    assert {(one.kind, one.machine, len(one.files)) for one in found.findings} == {
        ("label", "fan", 8), ("label", "pump", 8),
    }  # fmt: skip


def test_counts_that_the_card_does_not_know_are_said_to_be_unchecked(root):
    found = audit(root, make_card(counts={"test": {"clips": 8}}))
    assert found.findings == []
    assert found.not_checked == ["number of train clips of fan, pump: the card does not know it"]
    assert found.rows[0].expected == {"test": 8}


def test_supplemental_clips_are_counted(root, write_wav):
    assert {one.message for one in audit(root, make_card(supplemental=1)).findings} == {
        "supplemental clips: 0 instead of 1"
    }
    for seed, machine in enumerate(("fan", "pump")):
        write_wav(root / machine / "supplemental" / "section_00_noise_0000.wav", seed=100 + seed)
    assert audit(root, make_card(supplemental=1)).findings == []


def test_sections_of_the_other_split_are_left_out_and_said_to_be(root, write_wav):
    write_wav(root / "fan" / "test" / "section_03_0000.wav", seed=99)
    found = audit(root)
    assert found.findings == []
    assert found.not_checked == ["1 recording of fan, of sections that are not of this split: left out"]


def test_names_of_another_year(root):
    for path in root.rglob("*.wav"):
        number = int(path.stem.split("_")[5]) + 4 * ("target" in path.name)
        label = "anomaly" if "anomaly" in path.name else "normal"
        path.rename(path.with_name(f"{label}_id_00_{number:08d}.wav"))
    found = audit(root)
    assert "the layout is not dcase2023 as the card says: 28 recordings of dcase2020" in [
        one.message for one in found.findings
    ]


def test_two_layouts_in_a_folder(root, write_wav):
    write_wav(root / "fan" / "train" / "normal_id_00_00000000.wav", seed=99)
    found = verify(inventory_of_folder(root), 2, Silent())
    assert "layout" in {one.kind for one in found.findings if one.level == "error"}


def test_names_folders_and_attribute_files_that_cannot_be_used(root, write_wav):
    write_wav(root / "fan" / "train" / "strange.wav", seed=99)
    write_wav(root / "fan" / "test" / "section_00_source_train_normal_0007_vel_1.wav", seed=98)
    (root / "fan" / "test" / "notes.txt").write_text("hello")
    (root / "fan" / "attributes_00.csv").write_text("a.wav,vel,1\na.wav,vel,2\n")
    finding = only(audit(root))
    assert (finding.kind, finding.machine) == ("file", "fan")
    assert [(place.file, place.note) for place in finding.files] == [
        ("fan/attributes_00.csv:2", "a stands twice with different attributes"),
        ("fan/train/strange.wav", "the name fits no known layout"),
        ("fan/test/notes.txt", "not a .wav or .flac file"),
        ("fan/test/section_00_source_train_normal_0007_vel_1.wav", "the name says train, the folder test"),
    ]


def test_attributes_that_the_card_does_not_hide(root):
    for path in (root / "fan").rglob("*.wav"):
        path.rename(path.with_name(path.name.replace("_vel_1", "_noAttribute").replace("_vel_2", "")))
    found = audit(root)
    assert [(one.kind, one.level, one.machine, len(one.files)) for one in found.findings] == [
        ("attributes", "warning", "fan", 6), ("attributes", "warning", "fan", 8),
    ]  # fmt: skip
    assert found.rows[0].attributes == "none"
    hidden = make_card(machines={"fan": {"attributes_hidden": True}, "pump": {}})
    assert audit(root, hidden).findings == []
    assert audit(root, hidden).rows[0].attributes == "hidden"
    assert verify(inventory_of_folder(root), 2, Silent()).findings == []  # no card, and none has any


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
def test_the_same_recording_twice(root, one, other, kind, level):
    shutil.copy(root / f"{one}.wav", root / f"{other}.wav")
    finding = only(audit(root), level)
    assert finding.kind == kind
    (place,) = finding.files
    assert {place.file, place.note.removeprefix("= ")} == {f"{one}.wav", f"{other}.wav"}


def test_the_same_sound_in_a_file_of_another_kind(root):
    source = root / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav"
    copy = root / "fan" / "test" / "section_00_source_test_normal_0001_vel_1.wav"
    copy.unlink()
    soundfile.write(copy.with_suffix(".flac"), soundfile.read(source, dtype="int16")[0], RATE)
    assert only(audit(root)).kind == "leak"


def noise(shape=RATE // 2, level=0.1):
    return level * np.random.default_rng(5).standard_normal(shape)


@pytest.mark.parametrize(
    ("spoil", "kind", "level", "words"),
    [
        (lambda path: path.write_bytes(b""), "unusable", "error", "empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "unusable", "error", "truncated"),
        (lambda path: path.write_text("not a recording"), "unusable", "error", "cannot be decoded"),
        (lambda path: soundfile.write(path, np.zeros(8000), RATE), "unusable", "error", "silent"),
        (lambda path: soundfile.write(path, np.full(8000, 0.2), RATE), "unusable", "error", "silent"),
        (lambda path: soundfile.write(path, np.r_[noise(7999), np.nan], RATE, "FLOAT"), "unusable", "error", "NaN"),
        (lambda path: soundfile.write(path, noise(), 8000), "rate", "warning", "8000 Hz"),
        (lambda path: soundfile.write(path, noise(9000), RATE), "length", "warning", "0.56 s"),
    ],
)
def test_recordings_that_are_no_good(root, spoil, kind, level, words):
    spoil(root / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav")
    found = [one for one in audit(root).findings if (one.kind, one.level) == (kind, level)]
    (place,) = found[0].files
    assert place.file == "fan/train/section_00_source_train_normal_0001_vel_1.wav"
    assert words in place.note


def test_several_silent_recordings_are_no_duplicates(root):
    for path in sorted((root / "fan" / "train").iterdir())[:2]:
        soundfile.write(path, np.zeros(8000), RATE)
    assert [(one.kind, len(one.files)) for one in audit(root).findings] == [("unusable", 2)]


@pytest.mark.parametrize(
    ("samples", "kinds"),
    [
        (noise((8000, 2)), ["channels"]),
        (np.c_[noise(), np.full(8000, 0.1)], ["dead-channel", "channels"]),
        (np.c_[noise(), noise()], ["same-channels", "channels"]),
    ],
)
def test_channels(root, samples, kinds):
    soundfile.write(root / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav", samples, RATE)
    found = audit(root)
    assert [one.kind for one in found.findings] == kinds
    assert found.errors == 0


def tone(hz, level):
    return np.clip(level * np.sin(2 * np.pi * hz * np.arange(8000) / RATE), -1, 1)


@pytest.mark.parametrize(
    ("samples", "clipped"),
    [
        (tone(50, 1.0), False),  # just reaches full scale
        (tone(50, 1.2), True),
        (tone(3000, 1.0), False),
        (noise() / np.abs(noise()).max(), False),
        (np.clip(noise(level=1.0), -1, 1), True),
        (noise(), False),
    ],
)
def test_clipping_is_several_samples_in_a_row_at_full_scale(root, samples, clipped):
    soundfile.write(root / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav", samples, RATE)
    assert [one.kind for one in audit(root).findings] == ["clipped"] * clipped


def test_the_worst_clipped_recording_comes_first(root):
    paths = sorted((root / "fan" / "train").iterdir())
    for path, level in zip(paths[:3], (1.2, 4.0, 2.0), strict=True):
        soundfile.write(path, tone(50, level), RATE)
    finding = only(audit(root), "warning")
    assert [place.file for place in finding.files] == [f"fan/train/{paths[i].name}" for i in (1, 2, 0)]
    assert finding.message.startswith("3 recordings of 14 clipped")


def test_a_folder_is_held_against_the_bulk_of_the_machine_type(root):
    soundfile.write(root / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav", noise(4000), RATE)
    soundfile.write(root / "fan" / "train" / "section_00_source_train_normal_0002_vel_1.wav", noise(8000), 22050)
    found = verify(inventory_of_folder(root), 2, Silent())
    # Two of fourteen lengths differ: below nine in ten nothing is the rule.
    assert [(one.kind, len(one.files)) for one in found.findings] == [("rate", 1)]
    soundfile.write(root / "fan" / "train" / "section_00_source_train_normal_0002_vel_1.wav", noise() * 0.9, RATE)
    finding = only(verify(inventory_of_folder(root), 2, Silent()), "warning")
    assert (finding.kind, finding.files[0].note) == ("length", "0.25 s")


def test_everything_wrong_at_once_is_all_said(root):
    shutil.rmtree(root / "pump")
    path = root / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav"
    shutil.copy(path, root / "fan" / "test" / "section_00_source_test_normal_0001_vel_1.wav")
    (root / "fan" / "test" / "section_00_source_test_normal_0000_vel_1.wav").write_bytes(b"")
    (root / "fan" / "test" / "section_00_target_test_normal_0000_vel_1.wav").unlink()
    kinds = [one.kind for one in audit(root).findings]
    assert sorted(kinds) == ["count", "leak", "missing-machine", "unusable"]
