import pytest

from asdbench.core.errors import DataError
from asdbench.datasets.ground_truth import Truth, read_ground_truth


def test_the_baselines_lists(tmp_path):
    path = tmp_path / "eval_data_list_2023.csv"
    path.write_text(
        "bandsaw\nsection_00_0005.wav,section_00_source_test_anomaly_0005_vel_15.wav\n"
        "section_00_0010.wav,section_00_target_test_normal_0010_vel_2.wav\n"
        "RoboticArm\nsection_00_0000.wav,section_00_source_normal_0035_weight15_BckgF\n"
    )
    for place in (path, tmp_path):
        truth = read_ground_truth(place)
        assert truth.sections == {
            ("bandsaw", "00"): {"section_00_0005": Truth(1, "source"), "section_00_0010": Truth(0, "target")},
            ("RoboticArm", "00"): {"section_00_0000": Truth(0, "source")},
        }
        assert truth.aliases["bandsaw", "00"]["section_00_target_test_normal_0010_vel_2"] == "section_00_0010"


def test_the_list_of_2020(tmp_path):
    path = tmp_path / "eval_data_list.csv"
    path.write_text("fan\nid_01_00000000.wav,,1\nid_03_00000000.wav,,0\n")
    truth = read_ground_truth(path)
    assert truth.sections == {
        ("fan", "01"): {"id_01_00000000": Truth(1, None)},
        ("fan", "03"): {"id_03_00000000": Truth(0, None)},
    }


def test_the_evaluators_folders_with_full_names(tmp_path):
    rows = {
        "ground_truth_data": "section_00_0000.wav,1\nsection_00_0001.wav,0\n",
        "ground_truth_domain": "section_00_0001.wav,0\nsection_00_0000.wav,1\n",
        "ground_truth_attributes": "section_00_0000.wav,section_00_target_test_anomaly_0000_spd_2\n",
    }
    for folder, text in rows.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ground_truth_3DPrinter_section_00_test.csv").write_text(text)
    for place in (tmp_path, tmp_path / "ground_truth_data"):
        truth = read_ground_truth(place)
        assert truth.sections == {
            ("3DPrinter", "00"): {"section_00_0000": Truth(1, "target"), "section_00_0001": Truth(0, "source")}
        }
        assert truth.aliases["3DPrinter", "00"] == {"section_00_target_test_anomaly_0000_spd_2": "section_00_0000"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("section_00_0000.wav,2\n", ":1: 'section_00_0000.wav,2' is neither name,0|1"),
        ("section_00_0000.wav,1\nsection_00_0000.wav,0\n", ":2: contradicts an earlier row about section_00_0000"),
        ("0000.wav,1\n", "no section in the name of the clip '0000' of fan"),
    ],
)
def test_bad_rows(tmp_path, text, message):
    (tmp_path / "ground_truth_data").mkdir()
    (tmp_path / "ground_truth_data" / "ground_truth_fan_section_00_test.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_ground_truth(tmp_path)


def test_labels_and_domains_of_different_clips(tmp_path):
    for folder, name in (("ground_truth_data", "a"), ("ground_truth_domain", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ground_truth_fan_section_00_test.csv").write_text(f"section_00_{name}.wav,1\n")
    with pytest.raises(DataError, match="section_00_b of fan has no label"):
        read_ground_truth(tmp_path)


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no ground truth lies there"):
        read_ground_truth(tmp_path)
