import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from waiting import until


def test_list_and_show_as_json(cli):
    listed = cli("list", "--json").json
    assert set(listed) == {"systems", "datasets", "frontends", "augmentations", "extractors", "scorers", "steps"}
    assert "mahalanobis-ml" in [entry["name"] for entry in listed["scorers"]]
    shown = cli("show", "simclr-resnet50", "--json").json
    assert shown["params"]["backbone"]["default"] == "resnet50"
    assert shown["params"]["temperature"]["range"] == [0.01, 1.0]
    assert shown["variant_of"] == "simclr"
    assert shown["cite"][0]["year"] == 2023
    shown = cli("show", "shin2023-simclr-elliptic", "--json").json
    assert (shown["kind"], shown["variant_of"]) == ("systems", "shin2023-simclr-ml")
    assert (shown["scorer"], shown["published"][0]["percent"]) == ("elliptic-envelope", 61.31)


def test_a_system_is_shown_with_its_parts_choices_and_numbers(cli):
    text = " ".join(cli("show", "shin2023-simclr-ml").out.split())
    for words in ("learning_rate = 0.5", "left open by the paper", "No number is given", "62.41 %", "S. Shin, S. Lee."):
        assert words in text
    text = " ".join(cli("show", "dcase2023-baseline-mahala").out.split())
    assert "score = mahalanobis-code" in text
    assert "61.05 %" in text


def test_a_system_by_name_ends_in_a_table_with_its_name(cli, small_dataset, tmp_path):
    words = (
        "run", "--system", "guan2023-twfr-gmm", "--extractor", "raw-mel", "--scorer", "knn", "--machine", "fan",
        "--dataset", small_dataset, "--out", tmp_path / "runs",
    )  # fmt: skip
    table = cli(*words).out
    assert "guan2023-twfr-gmm  twfr       gmm" in table
    runs = cli(*words, "--json").json["runs"]
    assert [run["system"] for run in runs] == ["guan2023-twfr-gmm", "raw-mel-knn"]
    plan = cli(*words, "--dry-run", "--json").json["plan"]
    assert [run["system"] for run in plan] == ["guan2023-twfr-gmm", None]


def test_list_and_show_for_people(cli):
    text = cli("list").out
    for words in ("extractors", "raw-mel", "scorers", "pyod:NAME", "asdbench show NAME"):
        assert words in text
    text = cli("show", "simclr").out
    for words in ("temperature", "0.05", "from 0.01 to 1", "S. Shin", "simclr.toml"):
        assert words in text
    assert "n_estimators" in cli("show", "pyod:IForest").out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["list", "scorer"], 2, "Did you mean 'scorers'"),
        (["show", "simcl"], 2, "Did you mean 'simclr'"),
        (["run"], 2, "Nothing to run: name a system"),
        (["run", "--extractor", "raw-mel", "--scorer", "knn", "-p", "x"], 2, "expected COMPONENT.PARAM=VALUE"),
        (["run", "--extractor", "raw-mel", "--scorer", "knn", "--device", "gpu"], 2, "asdbench: --device: Input"),
        (["run", "--extractor", "raw-mel", "--scorer", "knn", "--config", "x.toml"], 2, "x.toml: no such file."),
        (["run", "--extractor", "raw-mel", "--scorer", "knn", "--out", "/dev/null/runs"], 2, "Cannot write"),
        (["run", "--extractor", "raw-mel", "--scorer", "knn", "--dataset", "/dev"], 3, "holds no recordings"),
        (["data", "make", "synthetc"], 2, "Did you mean 'synthetic'"),
        (["data", "make", "-p", "clip_s=0"], 2, "takes a number from 1 to 60"),
    ],
)
def test_mistakes_end_in_one_message_and_a_code(cli, words, code, message):
    outcome = cli(*words)
    assert outcome.code == code
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("words", "meant"), [(["leaderbord"], "leaderboard"), (["runs", "lst"], "list"), (["cache", "prun"], "prune")]
)
def test_a_mistyped_verb_is_guessed_once(cli, words, meant):
    outcome = cli(*words)
    assert (outcome.code, outcome.err.count("Did you mean"), f"'{meant}'" in outcome.err) == (2, 1, True)


def test_run_prints_one_json_object(cli, small_dataset, tmp_path):
    outcome = cli(
        "run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "random",
        "--seed", 0, "--seed", 1, "--out", tmp_path, "--json",
    )  # fmt: skip
    assert outcome.code == 0
    runs = outcome.json["runs"]
    assert [(run["scorer"], run["seed"]) for run in runs] == [("knn", 0), ("random", 0), ("knn", 1), ("random", 1)]
    for run in runs:
        assert set(run) >= {
            "system", "extractor", "scorer", "dataset", "seed", "status", "official_score", "machines", "record",
            "seconds",
        }  # fmt: skip
        assert set(run["machines"]["fan"]) >= {"auc_source", "auc_target", "pauc"}
        assert 0 < run["official_score"] < 1
        assert json.loads(Path(run["record"]).read_text())["run_id"] == run["run_id"]


def test_run_ends_with_a_table_and_the_next_command(cli, small_dataset, tmp_path):
    outcome = cli(
        "run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "identity",
        "--out", tmp_path,
    )  # fmt: skip
    assert outcome.code == 1, "identity fails on raw-mel"
    for words in ("fan", "valve", "AUC source", "official score", "failed: raw-mel + identity, seed 0, fan", "Next:"):
        assert words in outcome.out
    assert "knn" in outcome.out
    words = ("--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "identity")
    plan = cli("run", *words, "--out", tmp_path, "--dry-run", "--json").json["plan"]
    assert [run["done"] for run in plan] == [True, False]


def test_a_dry_run_shows_the_plan_and_writes_no_run(cli, small_dataset, tmp_path):
    words = ("run", "--dataset", small_dataset, "--extractor", "simclr", "--scorer", "knn", "--dry-run")
    words = (*words, "--out", tmp_path)
    assert "simclr" in cli(*words).out
    plan = cli(*words, "--json").json["plan"]
    assert plan[0]["profile"] == "quick"
    assert plan[0]["done"] is False
    assert cli(*words, "--profile", "full", "--json").json["plan"][0]["profile"] is None
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_a_run_file_holds_the_same_things_and_the_command_line_wins(cli, small_dataset, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text(
        f'extractor = "raw-mel"\nscorer = ["knn", "lof"]\ndataset = "{small_dataset}"\nseed = 3\n'
        '[params.knn]\nn_neighbors = 2\n[params.raw-mel]\npoolings = ["mean"]\n'
    )
    plan = cli("run", "--config", config, "--out", tmp_path / "o", "--dry-run", "--json").json["plan"]
    assert [(run["scorer"], run["seed"]) for run in plan] == [("knn", 3), ("lof", 3)]
    assert plan[0]["params"]["knn"]["n_neighbors"] == 2
    assert plan[0]["params"]["raw-mel"]["poolings"] == ["mean"]
    words = ("--scorer", "knn", "-p", "knn.n_neighbors=4", "--out", tmp_path / "o", "--dry-run", "--json")
    (run,) = cli("run", "--config", config, *words).json["plan"]
    assert run["params"]["knn"]["n_neighbors"] == 4
    config.write_text("extractr = 'raw-mel'\n")
    assert "unknown key 'extractr'. Did you mean 'extractor'" in cli("run", "--config", config).err
    config.write_text("extractor = 'raw-mel'\nseed = 'a'\n")
    assert f"asdbench: --config {config}: seed: Input should be a valid integer" in cli("run", "--config", config).err


def test_data_make_and_info(cli, tmp_path):
    small = ("-p", "machines=pump", "-p", "clip_s=1", "-p", "train_source=2", "-p", "train_target=1", "-p", "test=4")
    outcome = cli("data", "make", "synthetic", "--to", tmp_path / "d", *small)
    assert outcome.code == 0
    assert outcome.out.strip() == str(tmp_path / "d")
    info = cli("data", "info", tmp_path / "d", "--json").json
    assert sum(row["clips"] for row in info["clips"]) == 7
    again = cli("data", "make", "synthetic", "--to", tmp_path / "d", *small)
    assert again.code == 2
    assert "nothing was written" in again.err


def test_bad_recordings_are_all_listed_and_leave_no_run(cli, make_folder, dcase2023_names, write_wav, tmp_path):
    root = make_folder({"pump": dcase2023_names()})
    train, test = (sorted((root / "pump" / split).iterdir()) for split in ("train", "test"))
    train[0].write_bytes(b"")
    train[1].write_text("not audio")
    write_wav(test[0], np.zeros(8000))
    test[1].write_bytes(test[1].read_bytes()[:5000])
    outcome = cli("run", "--dataset", root, "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "o")
    assert outcome.code == 3
    for path in (train[0], train[1], test[0], test[1]):
        assert str(path) in outcome.err
    assert not (tmp_path / "o").exists()


def test_interrupted_with_control_c(zygote, tmp_path):
    """As on a keyboard: a signal to a process of its own while it makes recordings."""
    files = {"cache": tmp_path / "cache", "log": tmp_path / "err", "out": tmp_path / "out"}
    words = ("--dataset", "synthetic-large", "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "runs")
    process = zygote.start("run", *words, **files)
    made = tmp_path / "cache" / "datasets"
    until(lambda: list(made.glob("**/*.wav")))
    os.kill(process, signal.SIGINT)
    code, err = zygote.wait(process), (tmp_path / "err").read_text()
    assert code == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert (tmp_path / "out").read_text() == ""
    assert list(made.iterdir()) == [], "half a data set must not stay"


def test_help_and_list_import_nothing_heavy():
    code = (
        "import sys\n"
        "from asdbench.cli.app import app\n"
        "for words in (['--help'], ['run', '--help'], ['list']):\n"
        "    app(words, standalone_mode=False)\n"
        "names = {'torch', 'timm', 'torchaudio', 'sklearn', 'pyod', 'numpy', 'scipy', 'pydantic'}\n"
        "heavy = names & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_ctrl_c_counts_even_while_an_object_is_freed(cli, small_dataset, tmp_path, monkeypatch):
    """Python ignores what is raised then, and an extractor or a library may free objects at any time."""

    class Freed:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def fit(self, *_args):
        Freed()
        time.sleep(30)

    monkeypatch.setattr("asdbench.scorers.neighbours.NearestNeighbours.fit", fit)
    words = ("--extractor", "raw-mel", "--scorer", "knn", "--dataset", small_dataset, "--out", tmp_path / "runs")
    assert cli("run", *words).code == 130
