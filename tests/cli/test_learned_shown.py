"""A run that did not learn is marked wherever a command shows its score, and programs find it in the JSON."""

from types import SimpleNamespace

import pandas as pd
import pytest
from made_runs import MACHINES, made_run, pair_accuracy
from made_studies import made_study, made_trial

from asdbench.cli.run_results import print_dataset
from asdbench.cli.tune_results import print_study, studies_as_json
from asdbench.core.files import write_text
from asdbench.harness.record import load_record
from asdbench.tuning.record import Selection

SAID = "did not learn: pair accuracy 51 % (chance 50, untrained 52)"


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "runs"
    made_run(folder, "siamese", parameters=9, learning=pair_accuracy(0.51))
    made_run(folder, "simclr", parameters=9, learning=pair_accuracy(0.9))
    made_run(folder, "raw-mel")
    return folder


def line_of(text, name):
    return next(line for line in text.splitlines() if name in line)


def test_in_the_table_of_a_run(out, capsys):
    facts = {"name": "synthetic", "layout": "dcase2023", "protocol": "dcase2023", "lacks": (), "notes": ()}
    data = SimpleNamespace(**facts, machines=MACHINES, labelled=True)
    print_dataset([[load_record(folder)] for folder in sorted(out.iterdir())], data)
    printed = capsys.readouterr().out
    siamese, simclr, raw = (line_of(printed, name) for name in ("siamese ", "simclr ", "raw-mel "))
    assert siamese.rstrip().endswith("(did not learn)")
    assert "learn" not in simclr + raw
    assert f"siamese + knn: {SAID}" in printed
    assert "simclr + knn: learned: pair accuracy 90 % (chance 50, untrained 52)" in printed


def test_in_lists_and_exports(cli, out, tmp_path):
    shown = cli("runs", "list", "--out", out).out
    assert "done, did not learn" in line_of(shown, "siamese")
    assert "learn" not in line_of(shown, "simclr") + line_of(shown, "raw-mel")
    rows = cli("runs", "list", "--out", out, "--json").json["runs"]
    assert {row["extractor"]: row["learned"] for row in rows} == {"siamese": False, "simclr": True, "raw-mel": None}
    assert {row["learning_value"] for row in rows} == {0.51, 0.9, None}
    for name in ("all.csv", "all.parquet"):
        assert cli("runs", "export", tmp_path / name, "--out", out).code == 0
    table = pd.read_parquet(tmp_path / "all.parquet").set_index(["extractor", "machine"])
    assert table.loc["siamese", "fan"]["learned"] == False  # noqa: E712 (NumPy's)
    assert table.loc["siamese", "all"]["learning_untrained"] == 0.52


def test_of_a_machine_type_its_own_network_tells(cli, tmp_path):
    networks = {"fan": pair_accuracy(0.51), "gearbox": pair_accuracy(0.9), "valve": pair_accuracy(0.9)}
    folder = made_run(tmp_path / "runs", "siamese", parameters=9, learning=networks)
    assert "done, fan did not learn" in cli("runs", "list", "--out", tmp_path / "runs").out
    shown = cli("runs", "show", folder).out
    assert "fan did not learn: pair accuracy 77 % (chance 50, untrained 52), mean of 3 networks" in shown
    assert f"  fan: {SAID}" in shown
    assert "  valve: learned: pair accuracy 90 % (chance 50, untrained 52)" in shown
    assert cli("runs", "export", tmp_path / "all.csv", "--out", tmp_path / "runs").code == 0
    table = pd.read_csv(tmp_path / "all.csv").set_index("machine")
    assert table["learned"].to_dict() == {"fan": False, "gearbox": True, "valve": True, "all": False}


def test_in_comparisons(cli, out):
    few = ("--replicates", "200", "--out", out)
    pair = cli("compare", "siamese+knn", "raw-mel+knn", *few)
    assert f"A: {SAID}" in pair.out
    assert "B: " not in pair.out
    asked = cli("compare", "siamese+knn", "raw-mel+knn", *few, "--json").json["datasets"]["synthetic"]
    assert (asked["a"]["learned"], asked["b"]["learned"]) == (False, None)
    assert asked["a"]["learning"]["text"] == SAID
    three = cli("compare", "siamese+knn", "raw-mel+knn", "simclr+knn", *few)
    assert "siamese + knn (did not learn)" in three.out
    assert f"siamese + knn: {SAID}" in three.out
    assert "simclr + knn (did not learn)" not in three.out


def test_in_evaluations_of_a_run(cli, out):
    (folder,) = out.glob("siamese*")
    asked = cli("evaluate", folder, "--replicates", "100", "--json")
    assert SAID in asked.json["notes"]
    (other,) = out.glob("simclr*")
    assert not [
        note for note in cli("evaluate", other, "--replicates", "100", "--json").json["notes"] if "learn" in note
    ]


def test_in_studies(out, tmp_path, capsys):
    record = made_study(name="mine", best=Selection(trial=0, score=0.6))
    trial = made_trial(0, values=[0.6], runs=[folder.name for folder in out.glob("siamese*")])
    folder = tmp_path / "studies" / "mine"
    write_text(folder / "trials" / "0000.json", trial.model_dump_json())
    out.rename(folder / "runs")
    print_study(record, folder)
    assert f"best: {SAID}" in capsys.readouterr().out
    (study,) = studies_as_json([record], tmp_path)["studies"]
    assert study["learned"] is False
    assert study["learning"]["text"] == SAID


def test_every_tuned_parameter_is_shown_and_those_of_what_was_not_chosen_by_a_dash(tmp_path, capsys):
    trial = made_trial(0, params={"scorer": "knn", "knn.n_neighbors": 3}, values=[0.6])
    write_text(tmp_path / "trials" / "0000.json", trial.model_dump_json())
    space = {"scorer": {"choices": ["knn", "gmm"]}, "knn.n_neighbors": {}, "gmm.n_components": {}}
    shares = {"gmm.n_components": 0.6, "scorer": 0.3, "knn.n_neighbors": 0.1}
    best = Selection(trial=0, score=0.6)
    defaults = {"scorer": "gmm", "gmm.n_components": 2}
    print_study(made_study(space=space, defaults=defaults, importances=shares, best=best), tmp_path)
    rows = [line.split() for line in capsys.readouterr().out.partition("importance")[2].splitlines()[1:4]]
    assert rows[:2] == [["gmm.n_components", "-", "2", "60", "%"], ["scorer", "knn", "gmm", "30", "%"]]
    assert [int(row[-2]) for row in rows] == [60, 30, 10]
