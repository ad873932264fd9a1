"""Ground truths that disagree with one another or with the recordings."""

from collections import Counter

import pytest
from miniatures import miniature

from asdbench.core.errors import DataError
from asdbench.core.progress import Silent
from asdbench.datasets.audit import verify
from asdbench.datasets.challenge import inventory_of_challenge
from asdbench.datasets.ground_truth import read_ground_truths
from asdbench.registry import load_catalog

KINDS = ("ground-truth-conflict", "ground-truth-names")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Evaluation data of 2022 and 2021, one machine type in full."""
    root = tmp_path_factory.mktemp("data")
    for year in (2021, 2022, 2023):
        made = miniature(year, "eval")
        made.rows = [row for row in made.rows if row.machine in ("ToyCar", "fan", "bandsaw")]
        made.texts = {}
        made.write(root / f"dcase{year}" / "eval_data" / "raw")
    return root


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def evaluator(root, machine, section, labels, domains):
    name = f"ground_truth_{machine}_section_{section}_test.csv"
    for folder, values in (("ground_truth_data", labels), ("ground_truth_domain", domains)):
        write(root / folder / name, *(f"section_{section}_{i:04d}.wav,{value}" for i, value in enumerate(values)))


def full(section, i, label, domain):
    return f"section_{section}_{domain}_test_{label}_{i:04d}_car_G2_spd_34V_mic_1_noise_6.wav"


def truth_findings(data, year, place, machines):
    card = load_catalog().find("datasets", f"dcase{year}").challenge
    found = verify(inventory_of_challenge(f"dcase{year}", card, "eval", data, machines), 2, Silent(), place)
    return [one for one in found.findings if one.kind in KINDS]


@pytest.fixture
def truths_2022(tmp_path):
    """Three kinds; the evaluator's differs from both others in section 03 of ToyCar."""
    root = tmp_path / "evaluator"
    for section in ("03", "04", "05"):
        evaluator(root, "ToyCar", section, (1, 0), (1, 0))
        evaluator(root, "fan", section, (1, 0), (1, 0))
    sections = {
        "03": (("normal", "target"), ("anomaly", "target")),
        "04": (("anomaly", "target"), ("normal", "source")),
    }
    lines = ["ToyCar"]
    for section, clips in sections.items():
        rows = [
            f"ToyCar/test/section_{section}_{i:04d}.wav,car,G2,ToyCar/test/{full(section, i, *facts)}"
            for i, facts in enumerate(clips)
        ]
        path = root / "ground_truth_attributes" / "ToyCar" / f"attributes_{section}.csv"
        write(path, "file_name,d1p,d1v,file_name_with_attributes", *rows)
        lines += [f"section_{section}_{i:04d}.wav,{full(section, i, *facts)}" for i, facts in enumerate(clips)]
    lines += ["fan", f"section_03_0000.wav,{full('03', 0, 'anomaly', 'target')}"]
    write(root / "eval_data_list_2022.csv", *lines)
    return root


def test_the_conflict_of_2022(data, truths_2022):
    found = truth_findings(data, 2022, truths_2022, ["ToyCar", "fan"])
    assert {(one.level, one.machine, one.section) for one in found if one.kind == "ground-truth-conflict"} == {
        ("warning", "ToyCar", "03")
    }
    messages = sorted(one.message for one in found if one.kind == "ground-truth-conflict")
    assert len(messages) == 2  # the evaluator's against each of the others, which agree
    first = "2 labels and 1 domain of 2 test clips differ: ground_truth_data and ground_truth_domain against "
    others = ("eval_data_list", "ground_truth_attributes")
    assert messages == [f"{first}{other}; the card knows of it" for other in others]
    notes = {place.file: place.note for place in found[-1].files}
    assert notes == {"section_03_0000": "label", "section_03_0001": "label and domain"}


def test_kinds_that_leave_out_a_section_do_not_miss_its_names(data, truths_2022):
    found = truth_findings(data, 2022, truths_2022, ["ToyCar"])
    assert not [one for one in found if one.kind == "ground-truth-names" and "ground_truth_data" in one.message]


def test_a_conflict_that_no_card_knows_is_an_error(data, tmp_path):
    evaluator(tmp_path, "bandsaw", "00", (1, 0), (1, 0))
    name = "ground_truth_attributes/ground_truth_bandsaw_section_00_test.csv"
    write(
        tmp_path / name,
        "section_00_0000.wav,section_00_source_normal_0035_weight15_BckgF",
        "section_00_0001.wav,section_00_source_normal_0036_weight15_BckgF",
    )
    (one,) = truth_findings(data, 2023, tmp_path, ["bandsaw"])
    assert (one.level, one.machine, one.section) == ("error", "bandsaw", "00")
    assert one.message.startswith("1 label and 1 domain of 2 test clips differ")


def test_names_of_the_ground_truth_and_of_the_recordings(data, tmp_path):
    evaluator(tmp_path, "bandsaw", "00", (1, 0, 1), (1, 0, 1))
    (one,) = truth_findings(data, 2023, tmp_path, ["bandsaw"])
    assert (one.kind, one.level, [place.file for place in one.files]) == (
        "ground-truth-names", "error", ["section_00_0002"],
    )  # fmt: skip
    evaluator(tmp_path, "bandsaw", "00", (1,), (1,))
    (one,) = truth_findings(data, 2023, tmp_path, ["bandsaw"])
    assert "1 clip among the test recordings that ground_truth_data" in one.message


def test_domains_of_2021_stand_in_names(data, tmp_path):
    for domain in ("source", "target"):
        for section in ("03", "04", "05"):
            name = f"ground_truth_fan_section_{section}_{domain}_test.csv"
            write(tmp_path / "ground_truth_data" / name, f"section_{section}_{domain}_test_0000.wav,1")
    assert truth_findings(data, 2021, tmp_path, ["fan"]) == []
    (truth,) = read_ground_truths(tmp_path, ["fan"]).values()
    assert truth.sections["fan", "04"]["section_04_target_test_0000"].domain == "target"


def test_one_file_is_enough(data, tmp_path):
    path = tmp_path / "ground_truth_bandsaw_section_00_test.csv"
    write(path, "section_00_0000.wav,1", "section_00_0001.wav,0")
    assert truth_findings(data, 2023, path, ["bandsaw"]) == []


def test_other_years_in_the_same_folder_are_left_out(data, tmp_path):
    evaluator(tmp_path / "dcase2023", "bandsaw", "00", (1, 0), (1, 0))
    evaluator(tmp_path / "dcase2024", "bandsaw", "00", (0, 1, 1), (1, 0, 0))
    write(tmp_path / "eval_data_list_2022.csv", "bandsaw", "section_00_0000.wav,section_00_target_test_normal_0000.wav")
    assert truth_findings(data, 2023, tmp_path, ["bandsaw"]) == []


def test_two_copies_of_one_kind_that_differ(tmp_path):
    evaluator(tmp_path / "a", "bandsaw", "00", (1, 0), (1, 0))
    evaluator(tmp_path / "b", "bandsaw", "00", (1, 1), (1, 0))
    with pytest.raises(DataError, match=r"csv:2: contradicts an earlier row about section_00_0001"):
        read_ground_truths(tmp_path, ["bandsaw"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["section_00_0000.wav,maybe"], "is neither name,0|1 nor name,name with label"),
        (["section_00_0000.wav"], ":1: 'section_00_0000.wav' is neither"),
        ([], "no ground truth of bandsaw"),
    ],
)
def test_ground_truth_that_cannot_be_read(tmp_path, lines, message):
    path = tmp_path / "ground_truth_bandsaw_section_00_test.csv"
    write(path, *lines)
    with pytest.raises(DataError) as caught:
        read_ground_truths(tmp_path, ["bandsaw"])
    assert message in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("year", [2021, 2022, 2023, 2024])
def test_the_published_ground_truths_can_be_read(shared_data, year):
    card = load_catalog().find("datasets", f"dcase{year}").challenge
    own = card.splits["eval"]
    (truth,) = read_ground_truths(shared_data / "ground_truth" / f"dcase{year}", list(own.machines)).values()
    for machine in own.machines:
        for section in own.sections_of(machine):
            clips = truth.sections[machine, section].values()
            there = Counter(f"{one.domain}_{'anomaly' if one.label else 'normal'}" for one in clips)
            assert there == own.counts_of(machine, section).test
