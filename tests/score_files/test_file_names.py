from pathlib import Path
from string import ascii_letters, digits

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asdbench.score_files.files import file_name, parse_file_name


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("anomaly_score_fan_id_01.csv", ("anomaly_score", "fan", "01", None)),
        ("anomaly_score_ToyConveyor_id_05_test.csv", ("anomaly_score", "ToyConveyor", "05", None)),
        ("anomaly_score_pump_section_03_source_test.csv", ("anomaly_score", "pump", "03", "source")),
        ("decision_result_pump_section_03_target_test.csv", ("decision_result", "pump", "03", "target")),
        ("anomaly_score_3DPrinter_section_00_test.csv", ("anomaly_score", "3DPrinter", "00", None)),
        ("decision_result_ToyCar_section_02_test.csv", ("decision_result", "ToyCar", "02", None)),
        (
            "anomaly_score_DCASE2023T2Vacuum_section_00_test_seed13711_id(0_)_Eval.csv",
            ("anomaly_score", "Vacuum", "00", None),
        ),
        ("decision_result_DCASE2025T2ToyPet_section_00_test_seed1.csv", ("decision_result", "ToyPet", "00", None)),
        ("anomaly_score_my_old_fan_section_00_test.csv", ("anomaly_score", "my_old_fan", "00", None)),
    ],
)
def test_every_form_of_the_years(name, facts):
    file = parse_file_name(Path(name))
    assert (file.kind, file.machine, file.section, file.domain) == facts


@pytest.mark.parametrize(
    "name",
    ["result.csv", "anomaly_score_fan.csv", "anomaly_score_fan_section_00_test.txt", "score_fan_section_00_test.csv"],
)
def test_other_files_are_none(name):
    assert parse_file_name(Path(name)) is None


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["anomaly_score", "decision_result"]),
    st.sampled_from(["dcase2020", "dcase2021", "dcase2023"]),
    st.text(ascii_letters + digits, min_size=1, max_size=12),
    st.text(digits, min_size=1, max_size=3),
    st.sampled_from(["source", "target"]),
)
def test_what_is_written_is_read_back(kind, layout, machine, section, domain):
    file = parse_file_name(Path(file_name(kind, layout, machine, section, domain)))
    assert (file.kind, file.machine, file.section) == (kind, machine, section)
    assert file.domain == (domain if layout == "dcase2021" else None)
