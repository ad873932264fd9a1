"""What ``asdbench tune`` can be asked, and what becomes of trials that fail or are given up."""

import json
from statistics import median

import pytest
from made_studies import trials_of

from asdbench.core.progress import Silent
from asdbench.harness import RunSpec
from asdbench.tuning import trials as tuning_trials
from asdbench.tuning.spec import TuneSpec
from asdbench.tuning.study import Tuning

ONLY_KNN = ("--only", "knn", "--space", "knn.n_neighbors=1:12")  # there are 20 training clips


BROKEN = """
from asdbench.scorers.base import Scorer
class Moody(Scorer):
    def __init__(self, *, mood):
        super().__init__()
        self._mood = mood
    def fit(self, embeddings, clips):
        if self._mood > 1: raise ArithmeticError("a bad mood")
    def score(self, embeddings): return embeddings[:, 0].astype(float) * self._mood
"""
CARD = """
summary = "Fails sometimes."
target = "moody:Moody"
version = 1
[params.mood]
default = 0.5
range = [0.0, 2.0]
tune = { choices = [0.5, 1.5] }
help = "How it feels."
"""


def test_a_trial_that_is_refused_is_recorded_and_the_study_goes_on(tune, tmp_path):
    (study,) = tune(
        "--only",
        "log-mel.f_min_hz",
        "--grid",
        "--space",
        "log-mel.f_min_hz=0,9000",
        "-p",
        "log-mel.n_mels=32",
        "--machine",
        "fan",
    ).json["studies"]
    done, failed = trials_of(study, tmp_path)
    assert (done.state, failed.state) == ("done", "failed")
    assert "log-mel.f_max_hz is 8000; it takes a number above f_min_hz (9000)" in failed.reason
    assert study["counts"] == {"done": 1, "pruned": 0, "failed": 1}


def test_a_study_without_a_done_trial_fails_and_leaves_its_reasons(tune, tmp_path):
    done = tune("--only", "log-mel.f_min_hz", "--grid", "--space", "log-mel.f_min_hz=9000,10000", code=1)
    (study,) = done.json["studies"]
    assert study["best"] is None
    assert study["best_config"] is None
    assert [trial.state for trial in trials_of(study, tmp_path)] == ["failed", "failed"]


def test_a_plugin_that_raises_costs_its_trial_alone(tune, tmp_path):
    plugin = tmp_path / "plugin"
    (plugin / "registry" / "scorers").mkdir(parents=True)
    (plugin / "moody.py").write_text(BROKEN)
    (plugin / "registry" / "scorers" / "moody.toml").write_text(CARD)
    (study,) = tune("--only", "moody", "--grid", "--machine", "fan", "--plugin-path", plugin, scorer=("moody",)).json[
        "studies"
    ]
    done, failed = trials_of(study, tmp_path)
    assert done.state == "done"
    assert "ArithmeticError: a bad mood" in failed.reason


def test_pruning_saves_work_and_keeps_the_best(tune, tmp_path, monkeypatch):
    scored = []
    real = tuning_trials.evaluate_machine
    monkeypatch.setattr(tuning_trials, "evaluate_machine", lambda *a, **k: (scored.append(a), real(*a, **k))[1])
    words = ("--only", "knn", "--space", "knn.n_neighbors=12,1,11,2,10,3,9", "--grid")  # none twice
    (study,) = tune(*words, "--pruner", "median").json["studies"]
    given_up = [trial for trial in trials_of(study, tmp_path) if trial.state == "pruned"]
    done = [trial for trial in trials_of(study, tmp_path) if trial.state == "done"]
    assert len(given_up) == study["counts"]["pruned"] > 0
    assert len(scored) == 2 * len(done) + len(given_up), "of two machine types, one each"
    assert study["best"]["score"] == max(trial.values[0] for trial in done)
    for trial in given_up:
        assert list(trial.parts[0]) == ["fan"]
        assert not trial.runs
        assert "after fan" in trial.reason
        others = [one.parts[0]["fan"].official_score for one in done if one.number < trial.number]
        assert trial.parts[0]["fan"].official_score < median(others)


def test_several_objectives_leave_a_front(tune, tmp_path):
    words = ("--objective", "parameters", "--objective", "seconds", *ONLY_KNN, "--machine", "fan", "--trials", 2)
    (study,) = tune(*words).json["studies"]
    assert study["objectives"] == ["score", "parameters", "seconds"]
    assert study["pruner"] == "none"
    trials = trials_of(study, tmp_path)
    assert all(trial.values[1] == 0 and trial.values[2] > 0 for trial in trials)
    assert study["best"]["trial"] in study["pareto"]
    tune("--objective", "seconds", "--pruner", "median", code=2)


def test_per_machine_type_is_a_study_each_and_not_admissible(tune, cli, small_dataset, tmp_path):
    words = ("--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", *ONLY_KNN, "--trials", 1)
    shown = cli("tune", *words, "--per-machine", "--study", "alone")
    assert shown.out.count("NOT ADMISSIBLE") == 2
    assert "fan is tuned alone" in shown.err
    for machine in ("fan", "valve"):
        folder = tmp_path / "runs" / "studies" / f"alone-{machine}"
        study = json.loads((folder / "study.json").read_text())
        assert (study["machines"], study["admissible"]) == ([machine], False)
        assert "NOT ADMISSIBLE" in (folder / "best.toml").read_text()


def test_one_machine_type_of_several_is_not_admissible_either(tune, tmp_path):
    done = tune(*ONLY_KNN, "--machine", "fan", "--trials", 1)
    (study,) = done.json["studies"]
    assert study["admissible"] is False
    assert "fan is tuned alone: under the first-shot rule such parameters are not admissible" in done.err
    assert "NOT ADMISSIBLE" in (tmp_path / study["best_config"]).read_text()


def test_one_machine_type_is_several_by_what_the_data_set_holds(small_dataset, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "fan").symlink_to(small_dataset / "fan")
    made = {"synthetic.clip_s": 1.0, "synthetic.train_source": 2, "synthetic.train_target": 1, "synthetic.test": 4}

    def is_one_of_several(dataset, *machines, **params):
        spec = RunSpec(extractor=["raw-mel"], scorer=["knn"], dataset=[str(dataset)], machine=machines, params=params)
        return not Tuning(TuneSpec(spec), Silent()).is_admissible

    assert is_one_of_several(small_dataset, "fan")
    assert not is_one_of_several(small_dataset)
    assert not is_one_of_several(small_dataset, "fan", "valve")
    assert not is_one_of_several(tmp_path / "one", "fan")
    assert is_one_of_several("synthetic", "fan", **made, **{"synthetic.machines": "fan,valve"})
    assert not is_one_of_several("synthetic", "fan", **made, **{"synthetic.machines": "fan"})


def test_what_would_meet_every_trial_ends_the_study_at_once(tune):
    refused = tune("--only", "knn", "-p", "log-mel.f_min_hz=9000", code=2)
    assert "log-mel.f_max_hz is 8000; it takes a number above f_min_hz (9000)" in refused.err
    assert "1 of" not in refused.err


def test_the_best_of_several_extractors_keeps_what_concerns_it_alone(tune, cli, tmp_path):
    fixed = ("-p", "mel-image.image=32", "-p", "knn.n_neighbors=3", "-p", "raw-mel.poolings=mean,max")
    (study,) = tune("--extractor", "siamese", *fixed, "--only", "log-mel.hop", "--trials", 1).json["studies"]
    text = (tmp_path / study["best_config"]).read_text()
    assert 'extractor = ["raw-mel"]' in text
    assert "mel-image" not in text
    assert "n_neighbors = 3" in text
    (run,) = cli("run", "--config", study["best_config"], "--out", tmp_path / "again", "--json").json["runs"]
    assert run["official_score"] == study["best"]["score"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sampler", "tpee"), "Did you mean 'tpe'?"),
        (("--pruner", "medium"), "Did you mean 'median'?"),
        (("--objective", "second"), "Did you mean 'seconds'?"),
        (("--grid", "--sampler", "tpe"), "a grid draws nothing"),
        (("--dataset", "other"), "one --dataset"),
        (("--system", "shin2023-simclr-ml"), "not both in one study"),
        (("--grid", "--only", "knn"), "none of knn.n_neighbors has an end of values"),
        (("--sampler", "cmaes", "--objective", "seconds"), "goes with one objective"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(tune, tmp_path, words, message):
    refused = tune(*words, code=2)
    assert message in refused.err
    assert not (tmp_path / "optuna.db").exists()
    assert not (tmp_path / "runs").exists()
