"""Everything that can be wrong with score files is told with file and line, and makes the result partial."""

import pytest
from official_score import official_score_of_files

DECISIONS = "decision_result_{machine}_section_00_test.csv"
SCORES = "anomaly_score_{machine}_section_00_test.csv"


def clip_names():
    return [
        f"section_00_{domain}_test_{label}_{number:04d}.wav"
        for domain in ("source", "target")
        for label in ("normal", "anomaly")
        for number in range(5)
    ]


@pytest.fixture
def scores(tmp_path):
    """Score files of two machine types of nobody's challenge."""
    for number, machine in enumerate(("drill", "3DPress_2")):
        rows = [f"{name},{(7 * index + number) % 11 + ('anomaly' in name)}" for index, name in enumerate(clip_names())]
        (tmp_path / SCORES.format(machine=machine)).write_text("\n".join(rows) + "\n")
        decided = [f"{name},{index % 2}" for index, name in enumerate(clip_names())]
        (tmp_path / DECISIONS.format(machine=machine)).write_text("\n".join(decided) + "\n")
    return tmp_path


def evaluated(cli, folder, *words):
    return cli("evaluate", folder, "--protocol", "dcase2023", "--json", "--replicates", "100", *words)


def replace_line(path, number, text):
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(line for line in lines if line is not None) + "\n")


def test_a_data_set_of_ones_own_is_whole_without_a_card(cli, scores):
    result = evaluated(cli, scores).json
    assert set(result["machines"]) == {"drill", "3DPress_2"}
    assert (result["dataset"], result["partial"], result["problems"]) == (None, False, [])
    low, high = result["ci95"]
    assert low < result["official_score"] < high


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("section_00_source_test_normal_0002.wav,nan", "not-finite", "'nan' is not a finite number"),
        ("section_00_source_test_normal_0002.wav,-inf", "not-finite", "'-inf' is not a finite number"),
        ("section_00_source_test_normal_0002.wav,high", "not-a-number", "'high' is not a number"),
        ("section_00_source_test_normal_0002.wav,1,2", "malformed", "found 3 columns"),
        ("section_00_source_test_normal_0001.wav,1", "doubled", "stands twice, first in"),
        ("recording.wav,1", "unlabelled", "tells no label"),
    ],
)
def test_a_bad_row_is_told_with_file_and_line(cli, scores, line, kind, words):
    path = scores / SCORES.format(machine="drill")
    replace_line(path, 3, line)
    outcome = evaluated(cli, scores)
    assert outcome.code == 1
    result = outcome.json
    (problem,) = [problem for problem in result["problems"] if problem["kind"] not in ("decisions",)]
    assert (problem["kind"], problem["machine"], problem["section"]) == (kind, "drill", "00")
    assert words in problem["text"]
    if kind != "unlabelled":
        assert (problem["file"], problem["line"]) == (path.name, 3)
    assert result["partial"]
    assert result["official_score"] is None
    assert "drill" not in result["machines"], "a spoilt section gets no numbers"
    shown = cli("evaluate", scores, "--protocol", "dcase2023")
    assert "partial: no official score" in shown.out
    asked = evaluated(cli, scores, "--partial")
    assert asked.code == 0
    assert asked.json["partial"]
    assert 0 < asked.json["official_score"] < 1
    assert "drill" in asked.json["machines"]


def rows_of(text):
    """A file of twenty rows; ``text`` makes one of a name without ending and a score."""
    return "".join(
        text(name.removesuffix(".wav"), f"{7 * i % 11 + ('anomaly' in name)}.25") for i, name in enumerate(clip_names())
    )


SAME = {
    "as it should be": lambda n, s: f"{n}.wav,{s}\n",
    "no ending": lambda n, s: f"{n},{s}\n",
    "lines of Windows": lambda n, s: f"{n}.wav,{s}\r\n",
    "spaces": lambda n, s: f" {n}.wav , {s}  \n\n",
    "quotes": lambda n, s: f'"{n}.wav","{s}"\n',
    "exponent and sign": lambda n, s: f"{n}.wav,+{s}e0\n",
    "own folder": lambda n, s: f"dev/drill/test/{n}.wav,{s}\n",
}
REFUSED = {
    "semicolon, decimal comma": lambda n, s: f"{n}.wav;{s.replace('.', ',')}\n",
    "semicolon, decimal comma, no ending": lambda n, s: f"{n}_vel_1;{s.replace('.', ',')}\n",
    "comma, decimal comma": lambda n, s: f"{n}.wav,{s.replace('.', ',')}\n",
    "tab, decimal comma": lambda n, s: f"{n}_vel_1\t{s.replace('.', ',')}\n",
    "space, decimal comma": lambda n, s: f"{n}_vel_1 {s.replace('.', ',')}\n",
    "bar, decimal comma": lambda n, s: f"{n}.wav|{s.replace('.', ',')}\n",
    "equals sign, decimal comma": lambda n, s: f"{n}_vel={s.replace('.', ',')}\n",
    "quoted decimal comma": lambda n, s: f'{n}.wav,"{s.replace(".", ",")}"\n',
    "semicolon": lambda n, s: f"{n}.wav;{s}\n",
    "thousands": lambda n, s: f'{n}.wav,"1,00{s}"\n',
    "underscore": lambda n, s: f"{n}.wav,1_0{s}\n",
    "other digits": lambda n, s: f"{n}.wav,\u0661{s}\n",
    "too large": lambda n, s: f"{n}.wav,{s}e400\n",
    "swapped": lambda n, s: f"{s},{n}.wav\n",
    "two endings": lambda n, s: f"{n}.wav.wav,{s}\n",
    "control character": lambda n, s: f"{n}_\x1b[31m.wav,{s}\n",
    "nul": lambda n, s: f"{n}.wav,{s}\0\n",
    "other machine": lambda n, s: f"dev/3DPress_2/test/{n}.wav,{s}\n",
    "training": lambda n, s: f"drill/train/{n}.wav,{s}\n",
    "open quote": lambda n, s: f'"{n}.wav,{s}\n',
    "third column": lambda n, s: f"{n}.wav,{s},\n",
}


@pytest.mark.parametrize("form", SAME)
def test_what_reads_one_way_only_is_read(cli, tmp_path, form):
    path = tmp_path / SCORES.format(machine="drill")
    path.write_bytes(b"\xef\xbb\xbf" + rows_of(SAME[form]).encode())
    found = evaluated(cli, tmp_path, "--ci", "none").json["official_score"]
    path.write_text(rows_of(SAME["as it should be"]))
    assert found == pytest.approx(official_score_of_files(tmp_path), abs=1e-12)


@pytest.mark.parametrize("form", [*REFUSED, "utf-16", "empty", "latin-1"])
def test_what_may_be_read_two_ways_is_refused_with_its_line(cli, tmp_path, form):
    content = {
        "utf-16": rows_of(SAME["no ending"]).encode("utf-16"),
        "latin-1": rows_of(lambda n, s: f"{n}_\xfc.wav,{s}\n").encode("latin-1"),
        "empty": b"",
    }.get(form) or rows_of(REFUSED.get(form, lambda n, s: "")).encode()
    (tmp_path / SCORES.format(machine="drill")).write_bytes(content)
    outcome = evaluated(cli, tmp_path, "--ci", "none")
    assert (outcome.code, outcome.json["official_score"]) == (1, None)
    first = next(problem for problem in outcome.json["problems"] if problem["kind"] not in ("decisions", "ignored"))
    assert first["file"] == SCORES.format(machine="drill")
    assert form == "empty" or first["line"] in (1, 2, 20)
    assert all(sign.isprintable() for sign in first["text"])


@pytest.mark.parametrize(
    "name", ["anomaly_score_pump_section_00_test (1).csv", "anomaly_score_pump_section_00_test.txt"]
)
def test_a_score_file_whose_name_tells_nothing_is_not_left_out_in_silence(cli, scores, name):
    (scores / name).write_text("x,1\n")
    outcome = evaluated(cli, scores)
    assert outcome.json["official_score"] is None
    assert name in [problem["file"] for problem in outcome.json["problems"]]


@pytest.fixture
def truth(tmp_path_factory):
    """Ground truth of both machine types in the evaluators' form; clips have plain names there."""
    root = tmp_path_factory.mktemp("truth")
    for machine in ("drill", "3DPress_2"):
        for folder, word in (("ground_truth_data", "anomaly"), ("ground_truth_domain", "target")):
            path = root / folder / f"ground_truth_{machine}_section_00_test.csv"
            path.parent.mkdir(exist_ok=True)
            rows = [f"section_00_{index:04d}.wav,{int(word in name)}" for index, name in enumerate(clip_names())]
            path.write_text("\n".join(rows) + "\n")
    return root


def plain(scores):
    for path in scores.glob("*.csv"):
        rows = [line.split(",") for line in path.read_text().splitlines()]
        path.write_text("".join(f"section_00_{index:04d},{value}\n" for index, (_, value) in enumerate(rows)))


def test_rows_meet_the_ground_truth_by_name_not_by_order(cli, scores, truth):
    by_name = evaluated(cli, scores).json
    plain(scores)
    for path in scores.glob("*.csv"):
        path.write_text("\n".join(reversed(path.read_text().split())) + "\n")
    assert evaluated(cli, scores, "--ground-truth", truth).json == by_name


@pytest.mark.parametrize(
    ("number", "line", "kind", "words", "place"),
    [
        (20, None, "missing", "no score for section_00_0019", None),
        (20, "section_00_0100,1", "extra", "section_00_0100 is no test clip of drill", 20),
    ],
)
def test_missing_and_extra_clips_against_a_ground_truth(cli, scores, truth, number, line, kind, words, place):
    plain(scores)
    path = scores / SCORES.format(machine="drill")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[: number - 1], *([line] if line else [])]) + "\n")
    problems = [p for p in evaluated(cli, scores, "--ground-truth", truth).json["problems"] if p["kind"] == kind]
    assert [(words in p["text"], p["file"], p["line"]) for p in problems] == [(True, path.name, place)]


def test_the_same_number_of_wrongly_named_rows_does_not_pass(cli, scores, truth):
    """The official evaluators check counts alone and would call this complete."""
    plain(scores)
    path = scores / SCORES.format(machine="drill")
    path.write_text(path.read_text().replace("section_00_", "section_00_1"))
    result = evaluated(cli, scores, "--ground-truth", truth).json
    kinds = [problem["kind"] for problem in result["problems"] if problem["machine"] == "drill"]
    assert kinds.count("missing") == kinds.count("extra") == 20
    assert result["official_score"] is None


def test_machine_types_of_the_ground_truth_that_have_no_file(cli, scores, truth):
    plain(scores)
    (scores / SCORES.format(machine="drill")).unlink()
    result = evaluated(cli, scores, "--ground-truth", truth).json
    assert [problem["text"] for problem in result["problems"] if problem["kind"] == "absent"] == [
        "no score files of drill"
    ]


def test_names_that_contradict_the_ground_truth_are_a_conflict(cli, scores, truth):
    for folder in ("ground_truth_data", "ground_truth_domain"):
        for path in (truth / folder).iterdir():
            rows = path.read_text().split()
            path.write_text("".join(f"{name},{row[-1]}\n" for name, row in zip(clip_names(), rows, strict=True)))
    assert evaluated(cli, scores, "--ground-truth", truth).json["problems"] == []
    path = truth / "ground_truth_data" / "ground_truth_drill_section_00_test.csv"
    lines = path.read_text().splitlines()
    lines[0] = lines[0][:-1] + "1"
    path.write_text("\n".join(lines))
    (problem,) = evaluated(cli, scores, "--ground-truth", truth).json["problems"]
    assert problem["kind"] == "conflict"


def test_constant_scores_are_told_and_count(cli, scores):
    path = scores / SCORES.format(machine="drill")
    path.write_text("".join(f"{name},3\n" for name in clip_names()))
    result = evaluated(cli, scores).json
    assert [problem["kind"] for problem in result["problems"]] == ["constant"]
    assert not result["partial"]
    assert result["machines"]["drill"]["official_score"] == pytest.approx(0.5)


def test_two_files_of_one_section(cli, scores):
    original = scores / SCORES.format(machine="drill")
    (scores / "anomaly_score_DCASE2023T2drill_section_00_test_seed13711_id(0_)_Eval.csv").write_text(
        original.read_text()
    )
    result = evaluated(cli, scores).json
    assert {problem["kind"] for problem in result["problems"]} == {"doubled"}
    assert "holds the same section as" in result["problems"][0]["text"]


def test_bad_decisions_cost_the_decision_metrics_alone(cli, scores):
    path = scores / DECISIONS.format(machine="drill")
    replace_line(path, 2, "section_00_source_test_normal_0001.wav,0.7")
    result = evaluated(cli, scores).json
    assert {problem["kind"] for problem in result["problems"]} == {"decisions"}
    assert result["problems"][0]["line"] == 2
    assert result["official_score"] is not None
    assert result["machines"]["drill"]["f1"] is None
    assert result["machines"]["3DPress_2"]["f1"] is not None
    for name in ("drill", "3DPress_2"):
        (scores / DECISIONS.format(machine=name)).unlink()
    (problem,) = evaluated(cli, scores).json["problems"]
    assert "no decision files" in problem["text"]


def test_a_section_without_one_domain_is_not_defined(cli, scores):
    path = scores / SCORES.format(machine="drill")
    path.write_text("".join(f"{name},{index}\n" for index, name in enumerate(clip_names()) if "target" not in name))
    result = evaluated(cli, scores, "--partial").json
    assert [problem["kind"] for problem in result["problems"] if problem["kind"] != "decisions"] == ["undefined"]
    assert set(result["machines"]) == {"3DPress_2"}


def test_a_card_knows_how_many_clips_there_should_be(cli, shared_data, tmp_path):
    golden = shared_data / "goldens" / "dcase2022-ae-dev"
    for path in golden.glob("anomaly_score_*.csv"):
        (tmp_path / path.name).write_text(path.read_text())
    path = tmp_path / "anomaly_score_fan_section_01_test.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    result = cli("evaluate", tmp_path, "--protocol", "dcase2022", "--json", "--ci", "none").json
    problems = [problem for problem in result["problems"] if problem["kind"] == "missing"]
    assert [problem["text"] for problem in problems] == ["49 source normal instead of 50 clips of dcase2022 dev"]
    assert set(result["machines"]["fan"]["sections"]) == {"00", "02"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["{scores}"], 2, "--protocol is missing. Accepted: dcase2020, dcase2021"),
        (["{scores}", "--protocol", "dcase2032"], 2, "No protocol 'dcase2032'. Did you mean 'dcase20"),
        (["{scores}/nowhere", "--protocol", "dcase2023"], 3, "There is no folder"),
        (["{scores}", "--protocol", "dcase2023", "--ground-truth", "{scores}"], 3, "no ground truth lies there"),
        (["{empty}", "--protocol", "dcase2023"], 3, "Expected: anomaly_score_<machine>_section_<NN>_test.csv"),
        (["{scores}", "--protocol", "dcase2023", "--ci", "jackknife"], 2, "accepted are bootstrap, official, none"),
        (["{scores}", "--protocol", "dcase2023", "--split", "test"], 2, "accepted are dev, eval and own"),
    ],
)
def test_mistakes(cli, scores, tmp_path_factory, words, code, message):
    places = {"scores": scores, "empty": tmp_path_factory.mktemp("empty")}
    outcome = cli("evaluate", *(word.format(**places) for word in words))
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


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("section_00_source_test_normal_0001", "section_01_source_test_normal_0001", "is of section 01"),
        ("section_00_source_test_normal_0001", "section_00_source_train_normal_0001", "is a training clip"),
    ],
)
def test_a_clip_of_another_section_or_split_is_foreign(cli, scores, old, new, words):
    path = scores / SCORES.format(machine="drill")
    path.write_text(path.read_text().replace(old, new))
    result = evaluated(cli, scores).json
    (problem,) = [problem for problem in result["problems"] if problem["kind"] == "extra"]
    assert words in problem["text"]
    assert (problem["file"], problem["line"]) == (path.name, 2)
    assert result["official_score"] is None


def test_scores_of_ones_own_recordings_are_not_called_official(cli, scores):
    assert not evaluated(cli, scores).json["official"]
    shown = cli("evaluate", scores, "--protocol", "dcase2023", "--replicates", "100").out
    assert "score by the definition of dcase2023, of recordings that no card describes" in shown


def test_a_machine_type_in_other_letters_is_told_and_not_taken_for_ones_own(cli, scores):
    for path in scores.glob("*drill*"):
        path.rename(scores / path.name.replace("drill", "Fan"))
    result = evaluated(cli, scores).json
    assert "dcase2023 dev has no Fan, section 00" in [problem["text"] for problem in result["problems"]]
    assert result["official_score"] is None


def test_files_of_another_years_machine_types_are_told(cli, scores, truth):
    for path in [*scores.glob("*drill*"), *truth.glob("*/*drill*")]:
        path.rename(path.with_name(path.name.replace("drill", "bandsaw")))
    for path in [*scores.glob("*3DPress_2*"), *truth.glob("*/*3DPress_2*")]:
        path.unlink()
    plain(scores)
    outcome = cli("evaluate", scores, "--protocol", "dcase2024", "--ground-truth", truth, "--json", "--ci", "none")
    assert outcome.json["notes"] == ["dcase2024 has no such machine types and sections; dcase2023 eval has."]
    assert not outcome.json["official"]


def test_picked_machine_types_give_a_partial_score(cli, scores):
    result = evaluated(cli, scores, "--machine", "drill").json
    assert result["partial"]
    assert set(result["machines"]) == {"drill"}
    wrong = evaluated(cli, scores, "--machine", "drill", "--machine", "drll")
    assert wrong.code == 2
    assert "--machine drll: no score files of it" in wrong.err
    assert "Did you mean 'drill'" in wrong.err


def test_a_full_name_that_contradicts_the_ground_truth_is_a_conflict(cli, scores, truth):
    folder = truth / "ground_truth_attributes"
    folder.mkdir()
    for machine in ("drill", "3DPress_2"):
        names = [name.removesuffix(".wav") for name in clip_names()]
        rows = [f"section_00_{index:04d}.wav,{name}\n" for index, name in enumerate(names)]
        (folder / f"ground_truth_{machine}_section_00_test.csv").write_text("".join(rows))
    assert evaluated(cli, scores, "--ground-truth", truth).json["problems"] == []
    labels = truth / "ground_truth_data" / "ground_truth_drill_section_00_test.csv"
    rows = labels.read_text().split()
    labels.write_text("\n".join([rows[0][:-1] + "1", *rows[1:]]))  # the full name says normal
    (problem,) = evaluated(cli, scores, "--ground-truth", truth).json["problems"]
    assert (problem["kind"], problem["line"]) == ("conflict", 1)


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
    words = ("evaluate", tmp_path / "scores", "--protocol", "dcase2022", "--ci", "none", "--json", "--ground-truth")
    listed = cli(*words, tmp_path / "eval_data_list_2022.csv").json
    assert [problem["kind"] for problem in listed["problems"] if problem["kind"] != "decisions"] == ["conflict"]
    assert listed["official_score"] is None
    official = cli(*words, truth).json
    assert official["official"]
    assert "608 labels" in official["notes"][0]
    renamed = tmp_path / "scores" / "anomaly_score_fan_section_03_test.csv"
    renamed.write_text(renamed.read_text().replace("section_03_", "section_03_test_"))  # as some documents say
    assert cli(*words, truth).json == official


def test_swapped_files_of_2021_are_told_with_file_and_line(cli, shared_data, tmp_path):
    golden = shared_data / "goldens" / "dcase2021-ae-dev"
    for path in golden.glob("anomaly_score_*"):
        (tmp_path / path.name).write_text(path.read_text())
    source, target = (tmp_path / f"anomaly_score_fan_section_01_{domain}_test.csv" for domain in ("source", "target"))
    content = source.read_text()
    source.write_text(target.read_text())
    target.write_text(content)
    result = cli("evaluate", tmp_path, "--protocol", "dcase2021", "--ci", "none", "--json").json
    problems = [problem for problem in result["problems"] if problem["kind"] == "conflict"]
    assert len(problems) == 400
    assert all(problem["file"] and problem["line"] for problem in problems)


def test_development_and_evaluation_files_in_one_folder(cli, shared_data, tmp_path):
    for path in (shared_data / "goldens" / "dcase2022-ae-dev").glob("anomaly_score_*"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "anomaly_score_fan_section_03_test.csv").write_text("section_03_0000.wav,1\n")
    words = ("evaluate", tmp_path, "--protocol", "dcase2022", "--ci", "none", "--json")
    result = cli(*words).json
    assert result["official"]
    assert "is not of dcase2022 dev but of the other split" in result["problems"][0]["text"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("section_00_source_test_normal_0000.wav;1\n", "the separator is ';'"),
        ("file,score\n", "'score' is not a number; the files have no header"),
        ("section_00_source_test_normal_0000.wav,1_000\n", "'1_000' is not a number"),
        ("", "holds no rows"),
    ],
)
def test_files_of_another_form(cli, scores, text, words):
    (scores / SCORES.format(machine="drill")).write_text(text)
    assert words in evaluated(cli, scores).json["problems"][0]["text"]


def test_ground_truth_without_domains(cli, scores, truth):
    import shutil

    plain(scores)
    shutil.rmtree(truth / "ground_truth_domain")
    problems = evaluated(cli, scores, "--ground-truth", truth).json["problems"]
    assert {problem["kind"] for problem in problems} == {"undefined"}
    assert "is ground_truth_domain/ missing?" in problems[0]["text"]
    of_2020 = cli("evaluate", scores, "--protocol", "dcase2020", "--ground-truth", truth, "--ci", "none", "--json")
    assert of_2020.json["official_score"] is not None, "2020 has no domains"


def test_one_file_under_two_names_is_told(cli, scores):
    first, second = (scores / SCORES.format(machine=machine) for machine in ("drill", "3DPress_2"))
    second.write_text(first.read_text())
    (problem,) = evaluated(cli, scores).json["problems"]
    assert problem["kind"] == "alike"


def test_a_partial_score_is_that_of_the_sound_rows(cli, scores):
    path = scores / SCORES.format(machine="drill")
    replace_line(path, 3, "section_00_source_test_normal_0002.wav,nan")
    asked = evaluated(cli, scores, "--partial").json["official_score"]
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "nan" not in line) + "\n")
    assert asked == pytest.approx(official_score_of_files(scores), abs=1e-12)
