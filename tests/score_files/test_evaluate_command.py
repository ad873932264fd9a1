"""``asdbench evaluate``: which data set score files are of, what it lacks, and how that is reported."""

import pytest
from made_scores import SCORES, make_names_plain, replace_line


def evaluated(cli, folder, *options):
    return cli("evaluate", folder, "--protocol", "dcase2023", "--json", "--replicates", "100", *options)


def test_a_fault_ends_with_1_and_an_asked_for_part_with_0(cli, scores):
    replace_line(scores / SCORES.format("drill"), 3, "section_00_source_test_normal_0002.wav,nan")
    outcome = evaluated(cli, scores)
    assert (outcome.code, outcome.json["official_score"], outcome.json["partial"]) == (1, None, True)
    assert outcome.json["problems"][0]["line"] == 3
    assert "partial: no official score" in cli("evaluate", scores, "--protocol", "dcase2023").out
    asked = evaluated(cli, scores, "--partial")
    assert asked.code == 0
    assert 0 < asked.json["official_score"] < 1


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["{scores}"], 2, "--protocol is missing. Accepted: dcase2020, dcase2021"),
        (["{scores}", "--protocol", "dcase2032"], 2, "No protocol 'dcase2032'. Did you mean 'dcase20"),
        (["{scores}/nowhere", "--protocol", "dcase2023"], 3, "There is no folder"),
        (["{scores}", "--protocol", "dcase2023", "--ground-truth", "{scores}"], 3, "no ground truth lies there"),
        (["{empty}", "--protocol", "dcase2023"], 3, "Expected: anomaly_score_<machine>_section_<NN>_test.csv"),
        (["{scores}", "--protocol", "dcase2023", "--ci", "jackknife"], 2, "accepted are bootstrap, official, none"),
        (["{scores}", "--protocol", "dcase2023", "--split", "test"], 2, "accepted are dev, eval and own"),
        (["{scores}", "--protocol", "dcase2023", "--machine", "drll"], 2, "Did you mean 'drill'"),
    ],
)
def test_mistakes(cli, scores, tmp_path_factory, options, code, message):
    places = {"scores": scores, "empty": tmp_path_factory.mktemp("empty")}
    outcome = cli("evaluate", *(option.format(**places) for option in options))
    assert outcome.code == code
    assert message in outcome.err


def test_a_run_is_evaluated_to_the_numbers_of_its_record(cli, small_dataset, tmp_path):
    run = cli(
        "run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path, "--json"
    )
    (record,) = run.json["runs"]
    result = cli("evaluate", tmp_path / record["run_id"], "--json").json
    assert result["official_score"] == record["official_score"]
    assert result["ci95"] == record["ci95"]
    for name, machine in record["machines"].items():
        assert {key: result["machines"][name][key] for key in machine if key != "sections"} == {
            key: value for key, value in machine.items() if key != "sections"
        }


def test_two_systems_are_compared_on_the_same_clips(cli, scores, tmp_path_factory):
    better = tmp_path_factory.mktemp("better")
    for path in scores.glob("*.csv"):
        rows = [line.split(",") for line in path.read_text().splitlines()]
        gain = 4 if path.name.startswith("anomaly") else 0
        text = [f"{name},{float(value) + gain * ('anomaly' in name):g}\n" for name, value in reversed(rows)]
        (better / path.name).write_text("".join(text))
    difference = evaluated(cli, better, "--against", scores).json["difference"]
    low, high = difference["ci95"]
    assert 0 < low < difference["official_score"] < high
    assert difference["probability_of_being_better"] > 0.99
    assert evaluated(cli, scores, "--against", scores).json["difference"] == {
        "official_score": 0.0, "ci95": [0.0, 0.0], "probability_of_being_better": 0.5,
    }  # fmt: skip


def test_scores_of_the_users_own_recordings_are_not_called_official(cli, scores):
    assert not evaluated(cli, scores).json["official"]
    shown = cli("evaluate", scores, "--protocol", "dcase2023", "--replicates", "100").out
    assert "score by the definition of dcase2023, of recordings that are not the challenge's" in shown


def test_a_machine_type_in_other_letters_is_reported_and_not_taken_for_the_users_own(cli, scores):
    for path in scores.glob("*drill*"):
        path.rename(scores / path.name.replace("drill", "Fan"))
    result = evaluated(cli, scores).json
    assert "dcase2023 dev has no Fan, section 00" in [problem["text"] for problem in result["problems"]]
    assert result["official_score"] is None


def test_files_of_another_years_machine_types_are_recognised(cli, scores, truth):
    for path in [*scores.glob("*drill*"), *truth.glob("*/*drill*")]:
        path.rename(path.with_name(path.name.replace("drill", "bandsaw")))
    for path in [*scores.glob("*3DPress_2*"), *truth.glob("*/*3DPress_2*")]:
        path.unlink()
    make_names_plain(scores)
    outcome = cli("evaluate", scores, "--protocol", "dcase2024", "--ground-truth", truth, "--json", "--ci", "none")
    assert outcome.json["notes"] == ["dcase2024 has no such machine types and sections; dcase2023 eval has."]
    assert not outcome.json["official"]


def test_picked_machine_types_give_a_partial_score(cli, scores):
    result = evaluated(cli, scores, "--machine", "drill").json
    assert result["partial"]
    assert set(result["machines"]) == {"drill"}


@pytest.fixture
def golden(shared_data, tmp_path):
    """Score files that others published, to be changed."""

    def copy(name):
        for path in (shared_data / "goldens" / name).glob("anomaly_score_*.csv"):
            (tmp_path / path.name).write_text(path.read_text())
        return tmp_path

    return copy


def test_a_card_knows_how_many_clips_there_should_be(cli, golden):
    path = golden("dcase2022-ae-dev") / "anomaly_score_fan_section_01_test.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    result = cli("evaluate", path.parent, "--protocol", "dcase2022", "--json", "--ci", "none").json
    problems = [problem for problem in result["problems"] if problem["kind"] == "missing"]
    assert [problem["text"] for problem in problems] == [
        "fan, section 01: 49 source normal instead of 50 clips of dcase2022 dev"
    ]
    assert set(result["machines"]["fan"]["sections"]) == {"00", "02"}


def test_swapped_files_of_2021_are_reported_with_file_and_line(cli, golden):
    folder = golden("dcase2021-ae-dev")
    for path in folder.iterdir():
        if "fan_section_01" not in path.name:
            path.unlink()
    source, target = (folder / f"anomaly_score_fan_section_01_{domain}_test.csv" for domain in ("source", "target"))
    content = source.read_text()
    source.write_text(target.read_text())
    target.write_text(content)
    result = cli("evaluate", folder, "--protocol", "dcase2021", "--ci", "none", "--json").json
    problems = [problem for problem in result["problems"] if problem["kind"] == "conflict"]
    assert len(problems) == 400
    assert all(problem["file"] and problem["line"] for problem in problems)


def test_development_and_evaluation_files_in_one_folder(cli, golden):
    folder = golden("dcase2022-ae-dev")
    (folder / "anomaly_score_fan_section_03_test.csv").write_text("section_03_0000.wav,1\n")
    result = cli("evaluate", folder, "--protocol", "dcase2022", "--ci", "none", "--json").json
    assert result["official"]
    assert "is not of dcase2022 dev but of the other split" in result["problems"][0]["text"]


def test_a_list_is_not_the_ground_truth_of_2022(cli, shared_data, tmp_path):
    """The baseline's list contradicts the evaluator's files, which the official score uses."""
    (tmp_path / "scores").mkdir()
    rows = []
    truth = shared_data / "ground_truth" / "dcase2022"
    for path in sorted((truth / "ground_truth_data").iterdir()):
        machine, section = path.name.split("_")[2], path.name.split("_")[4]
        domains = dict(line.split(",") for line in (truth / "ground_truth_domain" / path.name).read_text().split())
        rows.append(machine)
        lines = []
        for number, line in enumerate(path.read_text().split()):
            clip, label = line.split(",")
            domain, word = ("source", "target")[int(domains[clip])], ("normal", "anomaly")[int(label)]
            rows.append(f"{clip},section_{section}_{domain}_test_{word}_{number:04d}.wav")
            lines.append(f"{clip},{(number * 37 + len(rows)) % 101}\n")
        (tmp_path / "scores" / f"anomaly_score_{machine}_section_{section}_test.csv").write_text("".join(lines))
    (tmp_path / "eval_data_list_2022.csv").write_text("\n".join(rows) + "\n")
    command = ("evaluate", tmp_path / "scores", "--protocol", "dcase2022", "--ci", "none", "--json", "--ground-truth")
    listed = cli(*command, tmp_path / "eval_data_list_2022.csv").json
    assert [problem["kind"] for problem in listed["problems"] if problem["kind"] != "decisions"] == ["conflict"]
    assert listed["official_score"] is None
    renamed = tmp_path / "scores" / "anomaly_score_fan_section_03_test.csv"
    renamed.write_text(renamed.read_text().replace("section_03_", "section_03_test_"))  # as some documents say
    official = cli(*command, truth).json
    assert official["official"]
    assert "608 labels" in official["notes"][0]
