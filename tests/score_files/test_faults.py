"""Everything that can be wrong with score files is reported with file and line, and makes the result partial."""

import shutil

import pytest
from made_scores import DECISIONS, MACHINES, NAMES, SCORES, replace_line
from official_score import official_score_of_files

from asdbench.datasets.ground_truth import read_ground_truth
from asdbench.score_files.evaluation import evaluate_folder

DRILL = SCORES.format("drill")


def evaluated(folder, truth=None, protocol="dcase2023", **options):
    truth = None if truth is None else read_ground_truth(truth)
    return evaluate_folder(folder, protocol, truth, interval="none", **options)


def kinds(result, *without):
    return [problem.kind for problem in result.problems if problem.kind not in without]


def test_a_data_set_of_the_users_own_is_whole_without_a_card(scores):
    result = evaluate_folder(scores, "dcase2023", replicates=100)
    assert set(result.evaluation.machines) == set(MACHINES)
    assert (result.dataset, result.partial, list(result.problems)) == (None, False, [])
    low, high = result.intervals.official_score
    assert low < result.official_score < high


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("section_00_source_test_normal_0002.wav,nan", "not-finite", "'nan' is not a finite number"),
        ("section_00_source_test_normal_0002.wav,-inf", "not-finite", "'-inf' is not a finite number"),
        ("section_00_source_test_normal_0002.wav,high", "not-a-number", "'high' is not a number"),
        ("section_00_source_test_normal_0002.wav,1,2", "malformed", "found 3 columns"),
        ("section_00_source_test_normal_0001.wav,1", "doubled", "stands twice, first in"),
        ("recording.wav,1", "unlabelled", "states no label"),
    ],
)
def test_a_bad_row_is_reported_with_file_and_line(scores, line, kind, message):
    path = scores / DRILL
    replace_line(path, 3, line)
    result = evaluated(scores)
    (problem,) = [problem for problem in result.problems if problem.kind != "decisions"]
    assert (problem.kind, problem.machine, problem.section) == (kind, "drill", "00")
    assert message in problem.text
    assert (problem.file, problem.line) == (path.name, 3)
    assert (result.partial, result.official_score) == (True, None)
    assert "drill" not in result.evaluation.machines, "a spoilt section gets no numbers"
    asked = evaluated(scores, partial=True)
    assert asked.partial
    assert 0 < asked.official_score < 1
    assert "drill" in asked.evaluation.machines


def test_a_partial_score_is_that_of_the_sound_rows(scores):
    path = scores / DRILL
    replace_line(path, 3, "section_00_source_test_normal_0002.wav,nan")
    asked = evaluated(scores, partial=True).official_score
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "nan" not in line) + "\n")
    assert asked == pytest.approx(official_score_of_files(scores), abs=1e-12)


def rows_of(text):
    """A file of twenty rows; ``text`` makes one of a name without ending and a score."""
    return "".join(
        text(name.removesuffix(".wav"), f"{7 * i % 11 + ('anomaly' in name)}.25") for i, name in enumerate(NAMES)
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
def test_what_reads_one_way_only_is_read(tmp_path, form):
    path = tmp_path / DRILL
    path.write_bytes(b"\xef\xbb\xbf" + rows_of(SAME[form]).encode())
    score = evaluated(tmp_path).official_score
    path.write_text(rows_of(SAME["as it should be"]))
    assert score == pytest.approx(official_score_of_files(tmp_path), abs=1e-12)


@pytest.mark.parametrize("form", [*REFUSED, "utf-16", "empty", "latin-1"])
def test_what_may_be_read_two_ways_is_refused_with_its_line(tmp_path, form):
    content = {
        "utf-16": rows_of(SAME["no ending"]).encode("utf-16"),
        "latin-1": rows_of(lambda n, s: f"{n}_\xfc.wav,{s}\n").encode("latin-1"),
        "empty": b"",
    }.get(form) or rows_of(REFUSED.get(form, lambda n, s: "")).encode()
    (tmp_path / DRILL).write_bytes(content)
    result = evaluated(tmp_path)
    assert result.official_score is None
    first = next(problem for problem in result.problems if problem.kind not in ("decisions", "ignored"))
    assert first.file == DRILL
    assert form == "empty" or first.line in (1, 2, 20)
    assert all(sign.isprintable() for sign in first.text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("section_00_source_test_normal_0000.wav;1\n", "the separator is ';'"),
        ("file,score\n", "'score' is not a number; the files have no header"),
        ("section_00_source_test_normal_0000.wav,1_000\n", "'1_000' is not a number"),
        ("", "holds no rows"),
    ],
)
def test_messages_about_files_of_another_form(scores, text, message):
    (scores / DRILL).write_text(text)
    assert message in evaluated(scores).problems[0].text


@pytest.mark.parametrize(
    "name", ["anomaly_score_pump_section_00_test (1).csv", "anomaly_score_pump_section_00_test.txt"]
)
def test_a_score_file_whose_name_tells_nothing_is_not_left_out_silently(scores, name):
    (scores / name).write_text("x,1\n")
    result = evaluated(scores)
    assert result.official_score is None
    assert name in [problem.file for problem in result.problems]


def test_rows_meet_the_ground_truth_by_name_not_by_order(scores, plain, truth):
    in_order = evaluated(plain, truth)
    for path in scores.glob("*.csv"):
        path.write_text("\n".join(reversed(path.read_text().split())) + "\n")
    reversed_ = evaluated(scores, truth)
    assert (reversed_.evaluation, reversed_.partial) == (in_order.evaluation, False)


@pytest.mark.parametrize(
    ("lines", "kind", "message", "place"),
    [
        ([], "missing", "no score for section_00_0019", None),
        (["section_00_0100,1"], "extra", "section_00_0100 is no test clip of drill", 20),
    ],
)
def test_missing_and_extra_clips_against_a_ground_truth(plain, truth, lines, kind, message, place):
    path = plain / DRILL
    path.write_text("\n".join([*path.read_text().splitlines()[:19], *lines]) + "\n")
    (problem,) = [problem for problem in evaluated(plain, truth).problems if problem.kind == kind]
    assert message in problem.text
    assert (problem.file, problem.line) == (path.name, place)


def test_the_same_number_of_wrongly_named_rows_does_not_pass(plain, truth):
    """The official evaluators check counts alone and would call this complete."""
    path = plain / DRILL
    path.write_text(path.read_text().replace("section_00_", "section_00_1"))
    result = evaluated(plain, truth)
    assert kinds(result).count("missing") == kinds(result).count("extra") == 20
    assert result.official_score is None


def test_machine_types_of_the_ground_truth_that_have_no_file(plain, truth):
    (plain / DRILL).unlink()
    texts = [problem.text for problem in evaluated(plain, truth).problems if problem.kind == "absent"]
    assert texts == ["no score files of drill"]


def change_first_label(truth):
    path = truth / "ground_truth_data" / "ground_truth_drill_section_00_test.csv"
    first, *others = path.read_text().split()
    path.write_text("\n".join([first[:-1] + "1", *others]))


def test_names_that_contradict_the_ground_truth_are_a_conflict(scores, truth):
    for path in truth.glob("*/*.csv"):
        rows = path.read_text().split()
        path.write_text("".join(f"{name},{row[-1]}\n" for name, row in zip(NAMES, rows, strict=True)))
    assert kinds(evaluated(scores, truth)) == []
    change_first_label(truth)
    assert kinds(evaluated(scores, truth)) == ["conflict"]


def test_a_full_name_that_contradicts_the_ground_truth_is_a_conflict(scores, truth):
    (truth / "ground_truth_attributes").mkdir()
    for machine in MACHINES:
        rows = [f"section_00_{index:04d}.wav,{name.removesuffix('.wav')}\n" for index, name in enumerate(NAMES)]
        path = truth / "ground_truth_attributes" / f"ground_truth_{machine}_section_00_test.csv"
        path.write_text("".join(rows))
    assert kinds(evaluated(scores, truth)) == []
    change_first_label(truth)  # the full name says normal
    (problem,) = evaluated(scores, truth).problems
    assert (problem.kind, problem.line) == ("conflict", 1)


def test_ground_truth_without_domains(plain, truth):
    shutil.rmtree(truth / "ground_truth_domain")
    result = evaluated(plain, truth)
    assert set(kinds(result)) == {"undefined"}
    assert "is ground_truth_domain/ missing?" in result.problems[0].text
    assert evaluated(plain, truth, "dcase2020").official_score is not None, "2020 has no domains"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("section_00_source_test_normal_0001", "section_01_source_test_normal_0001", "is of section 01"),
        ("section_00_source_test_normal_0001", "section_00_source_train_normal_0001", "is a training clip"),
    ],
)
def test_a_clip_of_another_section_or_split_is_extra(scores, old, new, message):
    path = scores / DRILL
    path.write_text(path.read_text().replace(old, new))
    result = evaluated(scores)
    (problem,) = [problem for problem in result.problems if problem.kind == "extra"]
    assert message in problem.text
    assert (problem.file, problem.line, result.official_score) == (path.name, 2, None)


def test_constant_scores_are_reported_and_count(scores):
    (scores / DRILL).write_text("".join(f"{name},3\n" for name in NAMES))
    result = evaluated(scores)
    assert (kinds(result), result.partial) == (["constant"], False)
    assert result.evaluation.machines["drill"].official_score == pytest.approx(0.5)


def test_two_files_of_one_section(scores):
    other = scores / "anomaly_score_DCASE2023T2drill_section_00_test_seed13711_id(0_)_Eval.csv"
    other.write_text((scores / DRILL).read_text())
    (problem,) = evaluated(scores).problems
    assert problem.kind == "doubled"
    assert "holds the same section as" in problem.text


def test_one_file_under_two_names(scores):
    (scores / SCORES.format("3DPress_2")).write_text((scores / DRILL).read_text())
    assert kinds(evaluated(scores)) == ["alike"]


def test_bad_decisions_cost_the_decision_metrics_alone(scores):
    replace_line(scores / DECISIONS.format("drill"), 2, "section_00_source_test_normal_0001.wav,0.7")
    result = evaluated(scores)
    assert set(kinds(result)) == {"decisions"}
    assert result.problems[0].line == 2
    assert result.official_score is not None
    assert result.evaluation.machines["drill"].f1 is None
    assert result.evaluation.machines["3DPress_2"].f1 is not None
    for name in MACHINES:
        (scores / DECISIONS.format(name)).unlink()
    (problem,) = evaluated(scores).problems
    assert "no decision files" in problem.text


def test_a_section_without_one_domain_is_not_defined(scores):
    rows = [f"{name},{index}\n" for index, name in enumerate(NAMES) if "target" not in name]
    (scores / DRILL).write_text("".join(rows))
    result = evaluated(scores, partial=True)
    assert kinds(result, "decisions") == ["undefined"]
    assert set(result.evaluation.machines) == {"3DPress_2"}
