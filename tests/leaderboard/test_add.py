"""Adding runs: nothing is replaced silently, and nothing is added that does not fit."""

import shutil

import pytest
from made_runs import MACHINES, edit_record, made_run

from asdbench.harness.record import load_record
from asdbench.leaderboard import add_run, load_entry


def entries(tmp_path):
    return sorted(path.stem for path in (tmp_path / "boards" / "results").iterdir())


def test_runs_are_added_by_the_beginning_of_their_id_and_all_at_once(add, tmp_path):
    first = made_run(tmp_path / "runs", scorer="knn")
    second = made_run(tmp_path / "runs", scorer="gmm")
    outcome = add("raw-mel-knn")
    assert outcome.code == 0
    assert f"added: {tmp_path / 'boards' / 'results' / first.name}.json" in outcome.out
    assert f"Next: asdbench leaderboard render --board-dir {tmp_path / 'boards'}" in outcome.out
    assert entries(tmp_path) == [first.name]
    outcome = add("--all", "--json")
    assert outcome.code == 0
    assert [one["outcome"] for one in outcome.json["added"]] == ["added", "unchanged"]
    assert entries(tmp_path) == sorted([first.name, second.name])


def test_the_same_run_done_again_changes_nothing(add, tmp_path):
    folder = made_run(tmp_path / "runs")
    add(folder)
    before = (tmp_path / "boards" / "results" / f"{folder.name}.json").read_bytes()
    edit_record(folder, lambda content: content.update(finished_at="2030-01-01T00:00:00+00:00", seconds={"fit": 9.0}))
    for arguments in ((folder,), (folder, "--replace")):
        outcome = add(*arguments)
        assert outcome.code == 0
        assert "there already, and equal" in outcome.out
    assert (tmp_path / "boards" / "results" / f"{folder.name}.json").read_bytes() == before


def test_another_result_under_the_same_id_needs_replace_and_is_named(add, tmp_path):
    folder = made_run(tmp_path / "runs")
    add(folder)
    path = tmp_path / "boards" / "results" / f"{folder.name}.json"
    before = path.read_bytes()
    edit_record(folder, lambda content: content["environment"].update(git_commit="f" * 40))
    outcome = add(folder)
    assert outcome.code == 1
    assert "differs: environment.git_commit" in outcome.err
    assert "--replace" in outcome.err
    assert path.read_bytes() == before
    assert add(folder, "--replace").code == 0
    assert load_entry(path).record.environment.git_commit == "f" * 40


def test_a_damaged_entry_is_replaced_only_when_asked(add, tmp_path):
    folder = made_run(tmp_path / "runs")
    add(folder)
    path = tmp_path / "boards" / "results" / f"{folder.name}.json"
    path.write_text("{")
    outcome = add(folder)
    assert outcome.code == 1
    assert f"{path} is damaged" in outcome.err
    assert "replaced" in add(folder, "--replace").out
    assert load_entry(path).record == load_record(folder)


def test_a_run_whose_scores_are_not_its_results_is_refused(add, tmp_path):
    folder = made_run(tmp_path / "runs")
    sound = made_run(tmp_path / "runs", seed=1)
    edit_record(folder, lambda content: content["results"].update(official_score=0.9))
    outcome = add("--all")
    assert outcome.code == 1
    assert f"{folder} is altered: results.official_score is recorded as 0.9" in outcome.err
    assert entries(tmp_path) == [sound.name]


def test_one_damaged_record_does_not_stop_the_others(add, tmp_path):
    broken, sound = made_run(tmp_path / "runs"), made_run(tmp_path / "runs", seed=1)
    (broken / "run.json").write_text("{")
    outcome = add("--all")
    assert outcome.code == 1
    assert f"{broken}/run.json is damaged" in outcome.err
    assert entries(tmp_path) == [sound.name]
    newer = made_run(tmp_path / "runs", seed=2)
    edit_record(newer, lambda content: content.update(schema_version=99))
    outcome = add(newer)
    assert outcome.code == 1
    assert "has schema 99" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Name the runs to add, or --all"),
        (["raw-mel", "--all"], 2, "Name the runs to add, or --all"),
        (["nothing-such"], 2, "No run 'nothing-such'"),
    ],
)
def test_wrong_usage_is_reported(add, tmp_path, arguments, code, said):
    made_run(tmp_path / "runs")
    outcome = add(*arguments)
    assert outcome.code == code
    assert said in outcome.err


def test_missing_score_files_are_a_missing_requirement(add, tmp_path):
    folder = made_run(tmp_path / "runs")
    (folder / "scores" / "anomaly_score_fan_section_00_test.csv").unlink()
    outcome = add(folder)
    assert outcome.code == 3
    assert str(folder) in outcome.err


def test_a_board_folder_that_cannot_be_written_is_named(cli, tmp_path):
    folder = made_run(tmp_path / "runs")
    (tmp_path / "file").write_text("not a folder")
    outcome = cli("leaderboard", "add", folder, "--board-dir", tmp_path / "file")
    assert outcome.code == 2
    assert f"Cannot write {tmp_path / 'file' / 'results'}" in outcome.err
    assert "--board-dir" in outcome.err


def test_a_failed_run_is_added_with_what_it_scored(add, tmp_path):
    folder = made_run(tmp_path / "runs", failed=["gearbox"])
    assert add(folder).code == 0
    entry = load_entry(tmp_path / "boards" / "results" / f"{folder.name}.json")
    assert set(entry.scores) == set(MACHINES) - {"gearbox"}
    nothing = made_run(tmp_path / "runs", seed=1, failed=MACHINES)
    assert add(nothing).code == 0
    assert load_entry(tmp_path / "boards" / "results" / f"{nothing.name}.json").scores == {}


def test_labels_come_from_a_ground_truth_where_names_do_not_say_them(add, tmp_path):
    folder = made_run(tmp_path / "runs", machines=("bandsaw",), dataset="dcase2023-eval", clips=5)
    recorded = load_record(folder).results
    truth = tmp_path / "truth"
    for kind in ("ground_truth_data", "ground_truth_domain"):
        (truth / kind).mkdir(parents=True)
    renamed = {}
    for path in sorted((folder / "scores").iterdir()):
        lines = [line.split(",") for line in path.read_text().splitlines()]
        renamed |= {name: f"section_00_{number:04d}.wav" for number, (name, _) in enumerate(lines)}
        path.write_text("".join(f"{renamed[name]},{value}\n" for name, value in lines))
    for kind, is_one in (("data", lambda name: "anomaly" in name), ("domain", lambda name: "_target_" in name)):
        text = "".join(f"{new},{int(is_one(old))}\n" for old, new in renamed.items())
        (truth / f"ground_truth_{kind}" / "ground_truth_bandsaw_section_00_test.csv").write_text(text)
    edit_record(folder, lambda content: content.update(results=None))
    outcome = add(folder)
    assert outcome.code == 3
    assert "--ground-truth" in outcome.err
    outcome = add(folder, "--ground-truth", truth)
    assert outcome.code == 0, outcome.err
    found = load_entry(tmp_path / "boards" / "results" / f"{folder.name}.json").record.results
    assert found.official_score == pytest.approx(recorded.official_score, abs=1e-12)


CONFLICTS = {
    "data": ({"data": "v2", "scorer": "gmm"}, "differing versions of the data of fan"),
    "data, same seed": ({"data": "v2"}, "differing versions of the data of fan"),
    "protocol": ({"protocol": "dcase2022", "scorer": "gmm"}, "follows the protocol dcase2023"),
    "clips": ({"clips": 9, "scorer": "gmm"}, "differ in the test clips of fan"),
    "seed twice": (None, "the same system with the same seed 0"),
    "page": ({"dataset": "synthetic."}, "would share the page synthetic.html"),
}


@pytest.mark.parametrize(("conflict", "together"), [*((conflict, False) for conflict in CONFLICTS), ("data", True)])
def test_a_run_that_would_make_its_board_impossible_is_refused(add, cli, tmp_path, conflict, together):
    options, said = CONFLICTS[conflict]
    first = made_run(tmp_path / "runs")
    if not together:
        assert add(first).code == 0
    other = tmp_path / "runs" / f"{first.name}-again"
    if options is None:
        shutil.copytree(first, other)
        edit_record(other, lambda content: content.update(run_id=other.name))
    else:
        other = made_run(tmp_path / "runs", **options)
    sound = made_run(tmp_path / "runs", seed=1)
    outcome = add(first, other, sound) if together else add("--all")
    assert outcome.code == 1
    assert f"{other} is not added" in outcome.err
    assert said in outcome.err
    there = tmp_path / "boards" / "results" / f"{first.name}.json"
    assert f"Remove {there}, or put this run into another folder of boards: --board-dir DIR" in outcome.err
    assert entries(tmp_path) == sorted([first.name, sound.name])
    assert cli("leaderboard", "render", "--board-dir", tmp_path / "boards").code == 0
    assert add(first, "--replace").code == 0, "what is there is no conflict with itself"


def test_a_broken_board_takes_no_more_that_does_not_fit(add, tmp_path):
    first, other = made_run(tmp_path / "runs"), made_run(tmp_path / "runs", scorer="gmm", data="v2")
    add(first)
    added = add_run(other, tmp_path / "elsewhere")
    (tmp_path / "boards" / "results" / added.path.name).write_bytes(added.path.read_bytes())
    assert add(first, other).code == 0, "there already"
    third = made_run(tmp_path / "runs", scorer="lof")
    outcome = add(third)
    assert outcome.code == 1
    assert f"Remove {tmp_path / 'boards' / 'results' / added.path.name}" in outcome.err


def test_a_published_result_of_another_protocol_is_named(add, tmp_path):
    folder = made_run(tmp_path / "runs", dataset="dcase2023-dev")
    place = tmp_path / "boards" / "references" / "p.toml"
    place.parent.mkdir(parents=True)
    place.write_text(
        'system="P"\ndataset="dcase2023"\nsplit="dev"\nprotocol="dcase2022"\nyear=2023\nsource="A paper"\n'
        + "official_score = 60.0\n"
    )
    outcome = add(folder)
    assert outcome.code == 1
    assert f"Remove {place}" in outcome.err


def test_the_same_error_is_not_told_once_for_every_run(cli, tmp_path):
    for seed in range(3):
        made_run(tmp_path / "runs", seed=seed)
    (tmp_path / "file").write_text("not a folder")
    outcome = cli("leaderboard", "add", "--all", "--out", tmp_path / "runs", "--board-dir", tmp_path / "file" / "b")
    assert outcome.code == 2
    assert outcome.err.count("Cannot write") == 1
    assert "Give a folder that you may write to: --board-dir DIR" in outcome.err
