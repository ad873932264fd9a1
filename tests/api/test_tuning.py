"""``asdbench.tune``: the study of the command line, from Python."""

import doctest
import json

import numpy as np
import optuna
import pytest

import asdbench as asd
from asdbench.api import tuning
from asdbench.core.errors import UsageError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("asdbench.tuning.tune.write_study_report", lambda *_: None)  # seconds, and not looked at here


@pytest.mark.usefixtures("small_synthetic")
def test_the_example_of_the_docstring_is_what_comes_out():
    found = doctest.testmod(tuning)
    assert (found.attempted, found.failed) == (3, 0)


def test_a_study_is_that_of_the_command_line(cli, small_dataset, tmp_path):
    words = ["--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--only", "knn", "--trials", 3]
    words += ["--space", "knn.n_neighbors=1:12", "-p", "raw-mel.poolings=mean,max", "--seed", 0, "--seed", 1]
    shown = cli("tune", *words, "--json").json["studies"][0]
    study = asd.tune(
        asd.load(small_dataset), asd.extractor("raw-mel", poolings="mean,max"), "knn", trials=3, only="knn",
        spaces={"knn.n_neighbors": "1:12"}, seeds=[0, 1], storage="sqlite:///own.db", out=tmp_path / "own",
    )  # fmt: skip
    assert study.name == shown["name"]
    assert (study.best.params, study.best.values) == (shown["best_params"], shown["best_values"])
    assert (study.best.score, study.best.number) == (shown["best"]["score"], shown["best"]["trial"])
    assert isinstance(study.study, optuna.Study)
    assert study.study.best_params == study.best.params
    assert study.record.best.trial == study.best.number
    runs = asd.open_runs(*[study.folder / "runs" / run for run in study.best.runs])
    assert np.mean([run.score for run in runs]) == study.best.score
    assert study.config.is_file()
    table = study.to_frame()
    assert list(table.columns) == ["trial", "state", "score", "took_s", "knn.n_neighbors", "fan", "valve", "reason"]
    assert table["score"].max() == study.best.score
    assert list(table["knn.n_neighbors"]) == [one.params["knn.n_neighbors"] for one in study.study.trials]
    page = study._repr_html_()
    assert "3 done" in page
    assert f"{100 * study.best.score:.2f}" in page


def test_choices_make_a_grid_and_what_there_is_is_not_done_again(small_dataset):
    def tune(**options):
        return asd.tune(
            small_dataset, "raw-mel", ["knn", asd.scorer("lof", n_neighbors=3)], machines=["fan"], sampler="grid",
            spaces={"knn.n_neighbors": [1, 3]}, only=["knn.n_neighbors", "scorer"], name="chosen", **options,
        )  # fmt: skip

    first = tune(trials=1)
    study = tune()
    found = study.to_frame()
    assert list(found["scorer"]) == ["knn", "knn", "lof"]
    assert found["took_s"][0] == first.to_frame()["took_s"][0]
    for run in (json.loads(path.read_text()) for path in study.folder.glob("runs/raw-mel-lof-*/run.json")):
        assert run["scorer"]["params"]["n_neighbors"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scorer": object()}, "an object of your own needs a card"),
        ({"scorer": "knnn"}, "Did you mean 'knn'"),
        ({"spaces": {"knn.n_neighbors": "9:1"}}, "is not below the upper one"),
        ({"objectives": "second"}, "Did you mean 'seconds'"),
        ({"storage": "optuna.db"}, "expected an address"),
    ],
)
def test_what_cannot_be_is_refused(small_dataset, options, message):
    with pytest.raises(UsageError, match=message):
        asd.tune(small_dataset, "raw-mel", **{"scorer": "knn", "trials": 1, **options})


def test_clips_that_no_name_stands_for_are_refused(small_dataset):
    data = asd.load(small_dataset)
    with pytest.raises(UsageError, match="no run file could name"):
        asd.tune(data.select(machines=["fan"]), "raw-mel", "knn", trials=1)
