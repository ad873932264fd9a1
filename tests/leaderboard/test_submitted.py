"""Anybody's score files on a board: complete or refused, scored like runs, and never mistaken for them."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_runs import drawn_sections, made_run
from sklearn.metrics import roc_auc_score

from asdbench.leaderboard import load_entry
from asdbench.leaderboard.render import make_pages

MACHINES = ("ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve")
SOURCE = "https://example.org/scores"
SHARED = os.environ.get("ASDBENCH_TEST_DATA")
with_shared = pytest.mark.skipif(not SHARED, reason="ASDBENCH_TEST_DATA is not set")
PUBLISHED = {  # percent, by an independent computation
    "conf-hard-m0-k1": 58.2585, "conf-soft-m0-k1": 56.2905, "conf-soft-m0-k2": 56.0658, "conf-soft-m30-ldnK1": 56.6041,
    "ldn-diff-K1": 57.9364, "ldn-ratio-K1": 56.4661, "ldn-ratio-K16": 57.2386, "ratio-soft-k1": 58.7233,
    "raw-k1": 58.7259,
}  # fmt: skip


def write_scores(folder, sections, facts=None):
    folder.mkdir(parents=True, exist_ok=True)
    for (machine, section), rows in sections.items():
        with (folder / f"anomaly_score_{machine}_section_{section}_test.csv").open("w", newline="") as file:
            csv.writer(file).writerows(zip(rows.names, rows.scores.tolist(), strict=True))
    if facts is not None:
        lines = [f"{name} = {value!r}".replace("'", '"') for name, value in facts.items()]
        (folder / "system.toml").write_text("\n".join(lines))
    return folder


@pytest.fixture
def scores(tmp_path):
    """Score files of the development set of 2025, drawn at random."""

    def make(name="theirs", seed=0, quality=1.0, facts=None):
        return write_scores(tmp_path / name, drawn_sections("theirs", seed, quality, MACHINES, clips=50), facts)

    return make


@pytest.fixture
def submit(add):
    def call(folder, *arguments, system="Theirs", source=SOURCE, dataset="dcase2025"):
        given = {"--system": system, "--source": source, "--dataset": dataset}
        options = [text for name, value in given.items() if value for text in (name, value)]
        return add(folder, *options, *arguments)

    return call


def entries(tmp_path):
    return [load_entry(path) for path in sorted((tmp_path / "boards" / "results").glob("*.json"))]


def test_the_official_score_is_that_of_its_definition(submit, scores, tmp_path):
    assert submit(scores(), "--params", "90", "--macs", "7", "--note", "A. Author, MIT").code == 0
    (entry,) = entries(tmp_path)
    terms = []
    for rows in drawn_sections("theirs", 0, 1.0, MACHINES, clips=50).values():
        for domain in ("source", "target"):
            counted = (rows.domains == domain) | (rows.labels == 1)
            terms.append(roc_auc_score(rows.labels[counted], rows.scores[counted]))
        terms.append(roc_auc_score(rows.labels, rows.scores, max_fpr=0.1))
    assert entry.record.results.official_score == pytest.approx(len(terms) / sum(1 / term for term in terms))
    assert (entry.board, entry.record.name, entry.record.asked.seed) == ("dcase2025-dev", "Theirs", 0)
    assert entry.submitted.model_dump() == {
        "source": SOURCE, "note": "A. Author, MIT", "parameters": 90, "macs": 7,
    }  # fmt: skip
    assert entry.text() == (tmp_path / "boards" / "results" / f"{entry.record.run_id}.json").read_text()
    assert "section_00_source_test" not in entry.text(), "clip names are kept as digests only"


def test_seeds_of_one_system_share_a_row_that_is_ranked_with_others_and_marked(submit, scores, tmp_path, table):
    for seed in (0, 1):
        submit(scores(f"s{seed}", seed, 1.2), "--seed", seed)
    submit(scores("worse", quality=0.1), system="Worse")
    rows = table("dcase2025-dev").rows
    assert [(row.name, row.kind, row.rank, row.seeds) for row in rows if row.kind != "chance"] == [
        ("Theirs", "submitted", 1, 2),
        ("Worse", "submitted", 3 - 1, 1),
    ]
    pages = make_pages(tmp_path / "boards").texts
    assert "2 systems (2 submitted)" in pages["dcase2025-dev.md"]
    assert f"Theirs; Worse: <{SOURCE}>" in pages["dcase2025-dev.md"]
    assert f'<a href="{SOURCE}"' in pages["dcase2025-dev.html"]


def test_a_file_beside_the_scores_says_the_same_and_options_win(add, scores, tmp_path):
    facts = {"system": "Theirs", "source": SOURCE, "dataset": "dcase2025", "split": "dev", "seed": 3, "params": 5}
    folders = [scores("one", facts=facts), scores("two", 1, facts={**facts, "seed": 4})]
    assert add(*folders).code == 0
    assert [(entry.record.asked.seed, entry.submitted.parameters) for entry in entries(tmp_path)] == [(3, 5), (4, 5)]
    assert add(folders[0], "--seed", "9").code == 0
    assert sorted(entry.record.asked.seed for entry in entries(tmp_path)) == [3, 4, 9]


def test_the_same_again_changes_nothing_and_other_scores_need_replace(submit, scores, tmp_path):
    submit(scores())
    (path,) = (tmp_path / "boards" / "results").glob("*.json")
    before = path.read_bytes()
    assert "there already, and equal" in submit(scores()).out
    outcome = submit(scores("other", seed=5))
    assert outcome.code == 1
    assert "Theirs with seed 0 is on the board with other scores (" in outcome.err
    assert path.read_bytes() == before
    assert "replaced" in submit(scores("other", seed=5), "--replace").out
    assert path.read_bytes() != before


def test_a_run_and_submitted_scores_of_one_name_and_data_stand_side_by_side(submit, add, scores, tmp_path, table):
    options = {"machines": MACHINES, "clips": 50, "protocol": "dcase2025", "dataset": "dcase2025-dev"}
    add(made_run(tmp_path / "runs", system="theirs", **options))
    assert submit(scores(), system="theirs").code == 0, "the clips' names are the same"
    labels = [(row.kind, row.label) for row in table("dcase2025-dev").rows if row.kind != "chance"]
    assert sorted(labels) == [("measured", "theirs"), ("submitted", "theirs (submitted)")]


FAULTS = {
    "a machine type is missing": (
        lambda folder: (folder / "anomaly_score_fan_section_00_test.csv").unlink(),
        "no score files of fan.",
    ),
    "a file is misnamed": (
        lambda folder: (folder / "anomaly_score_fan_section_00_test.csv").rename(folder / "anomaly_score_fan.csv"),
        "no score files of fan (and 1 more).",
    ),
    "no number": (
        lambda folder: edit_first_row(folder, lambda row: [row[0], "nan"]),
        "anomaly_score_fan_section_00_test.csv:1: 'nan' is not a finite number.",
    ),
    "a clip is missing": (
        lambda folder: edit_first_row(folder, lambda _: None),
        "49 source normal instead of 50 clips of dcase2025 dev.",
    ),
    "a clip of nowhere": (
        lambda folder: edit_first_row(folder, lambda row: ["section_07_source_test_normal_0000.wav", row[1]]),
        "of section 07, in the file of section 00",
    ),
}


def edit_first_row(folder, change):
    path = folder / "anomaly_score_fan_section_00_test.csv"
    rows = list(csv.reader(path.open()))
    rows[0] = change(rows[0])
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(row for row in rows if row)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_complete_is_refused_with_the_command_that_tells_all(fault, submit, scores, tmp_path):
    folder = scores()
    change, message = FAULTS[fault]
    change(folder)
    outcome = submit(folder)
    assert outcome.code == 1
    first, second = outcome.err.splitlines()
    assert message in first
    assert second == f"See all that is wrong: asdbench evaluate {folder} --protocol dcase2025 --split dev"
    assert not (tmp_path / "boards" / "results").exists()


WRONG = {
    "challenge": ({"dataset": "dcase202"}, (), "score files are of a challenge. Did you mean"),
    "split": ({}, ("--split", "test"), "dcase2025 has no split 'test'. Accepted: dev, eval."),
    "no source": ({"source": None}, (), "its source is not known.\nGive --source ADDRESS, or a line 'source = ...'"),
    "source": ({"source": "me"}, (), "source is 'me'.\nAccepted: an address that begins with https://"),
    "no data set": ({"dataset": None}, (), "its dataset is not known.\nGive --dataset NAME"),
    "no system": ({"system": None}, (), "is taken for a run.\nScore files: asdbench leaderboard add SCORES --system"),
    "two folders": ({}, (".",), "--system Theirs takes one folder of score files.\nSeveral: a system.toml in each"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_facts_are_named_with_what_is_accepted(case, submit, scores):
    changed, more, message = WRONG[case]
    outcome = submit(scores(), *more, **changed)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 2


def test_wrong_lines_of_the_file_are_named(add, scores):
    outcome = add(scores(facts={"system": "Theirs", "sorce": SOURCE}))
    assert "unknown key 'sorce'. Did you mean 'source'?\nAccepted there: system, source," in outcome.err
    outcome = add(scores(facts={"system": "Theirs", "source": SOURCE, "dataset": "dcase2025", "seed": "one"}))
    assert "system.toml: seed is 'one'.\nAccepted: a valid integer" in outcome.err


@with_shared
def test_an_evaluation_set_needs_the_ground_truth(submit, tmp_path):
    truth = Path(SHARED) / "ground_truth" / "dcase2023"
    rng = np.random.default_rng(0)
    folder = tmp_path / "eval"
    folder.mkdir()
    for path in truth.rglob("ground_truth_data/*.csv"):
        machine = path.name.removeprefix("ground_truth_").removesuffix("_section_00_test.csv")
        rows = [(name, float(label) + rng.standard_normal()) for name, label in csv.reader(path.open())]
        with (folder / f"anomaly_score_{machine}_section_00_test.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    outcome = submit(folder, "--split", "eval", dataset="dcase2023")
    assert outcome.code == 3
    assert "say no labels.\nGive the official evaluator's folder: --ground-truth DIR" in outcome.err
    assert submit(folder, "--split", "eval", "--ground-truth", truth, dataset="dcase2023").code == 0
    (entry,) = entries(tmp_path)
    assert entry.board == "dcase2023-eval"
    assert 0.6 < entry.record.results.official_score < 0.75


@with_shared
def test_systems_on_real_recordings_come_to_their_known_scores(submit, tmp_path):
    for name in ("raw-k1", "ratio-soft-k1"):
        submit(Path(shutil.copytree(Path(SHARED) / "scores" / "dcase2025-dev" / name, tmp_path / name)), system=name)
    found = {one.record.name: 100 * one.record.results.official_score for one in entries(tmp_path)}
    assert found == {name: pytest.approx(PUBLISHED[name], abs=5e-5) for name in found}
    assert len(found) == 2


def test_the_board_of_2025_has_the_nine_submitted_systems_at_their_known_scores():
    results = Path(__file__).resolve().parents[2] / "leaderboards" / "results"
    loaded = [load_entry(path) for path in results.glob("*-dcase2025-dev-s0-*.json")]
    found = {one.record.name: 100 * one.record.results.official_score for one in loaded if one.submitted}
    assert found == {name: pytest.approx(percent, abs=5e-5) for name, percent in PUBLISHED.items()}
