"""``asdbench tune`` from end to end, on small synthetic recordings."""

import json
import shutil

import optuna
import pytest
from made_studies import trials_of
from typer.testing import CliRunner

from asdbench.cli.app import app
from asdbench.harness import embedding
from asdbench.harness.record import load_record
from asdbench.tuning import trials as tuning_trials
from asdbench.tuning.queue import RETRY_OF
from asdbench.tuning.record import StudyRecord


def study_in(folder):
    (record,) = (folder / "runs" / "studies").glob("*/study.json")
    return json.loads(record.read_text())


ONLY_KNN = ("--only", "knn", "--space", "knn.n_neighbors=1:12")  # there are 20 training clips
DEMO = (
    "--extractor", "raw-mel", "--scorer", "knn", *ONLY_KNN, "--only", "extractor", "--seed", 0, "--seed", 1,
    "--study", "demo",
)  # fmt: skip


@pytest.fixture(scope="module")
def demo(small_dataset, session_cache, tmp_path_factory):
    """A folder with a finished study and its storage, and what the command showed; to be looked at only."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ASDBENCH_CACHE", str(session_cache))
        patch.setenv("ASDBENCH_TRACKING", "none")
        words = ["tune", "--dataset", small_dataset, *DEMO, "--trials", 3]
        shown = CliRunner().invoke(app, [str(word) for word in words])
    assert shown.exit_code == 0, shown.stderr
    return folder, shown


@pytest.fixture
def in_copy(demo, tmp_path):
    """A copy of it, to go on with."""
    shutil.copytree(demo[0], tmp_path / "copy")
    return tmp_path / "copy"


def test_the_best_trial_is_what_run_makes_of_best_toml_to_the_last_digit(demo, cli, tmp_path, official_score_of_files):
    study, trials = study_in(demo[0]), trials_of({"name": "demo"}, demo[0])
    assert [trial.state for trial in trials] == ["done"] * 3
    assert trials[0].params == {"raw-mel.poolings": "mean,std", "knn.n_neighbors": 5}
    assert study["default"] == {"score": trials[0].values[0], "trial": 0}
    best = max(trials, key=lambda trial: trial.values[0])
    assert study["best"] == {"score": best.values[0], "trial": best.number}
    folder = demo[0] / "runs" / "studies" / "demo"
    runs = cli("run", "--config", folder / "best.toml", "--out", tmp_path / "again", "--json").json["runs"]
    assert [run["seed"] for run in runs] == [0, 1]
    assert sum(run["official_score"] for run in runs) / 2 == best.values[0]
    for number, run in enumerate(runs):
        own = folder / "runs" / best.runs[number]
        assert load_record(own).results.official_score == run["official_score"]
        assert official_score_of_files(own / "scores") == pytest.approx(run["official_score"], abs=1e-12)


def test_what_is_shown_says_how_far_it_is_and_where_to_go_on(demo):
    folder, shown = demo
    lines = [line for line in shown.stderr.splitlines() if not line.endswith(" ...")]  # but what is said at once
    assert "3 trials over" in lines[0]
    assert lines[1].startswith("1 of 3, trial 0: ")
    assert lines[1].endswith("the best so far")
    for words in ("default", "best", "leave-one-out", "knn.n_neighbors", "best.toml", "report.html"):
        assert words in shown.stdout
    assert "asdbench run --config" in shown.stdout.replace("\n", " ")
    assert "Trial 0 finished" not in shown.stderr, "Optuna's own log stays off the screen"
    assert "asdbench study report" in (folder / "runs" / "studies" / "demo" / "report.html").read_text()
    assert StudyRecord.model_validate(study_in(folder)).counts["done"] == 3


def test_optuna_itself_reads_the_study(demo):
    folder, _ = demo
    found = optuna.load_study(study_name="demo", storage=f"sqlite:///{folder / 'optuna.db'}")
    best = study_in(folder)["best"]
    assert (found.best_value, found.best_trial.number) == (best["score"], best["trial"])
    assert found.best_params == trials_of({"name": "demo"}, folder)[best["trial"]].params


def test_a_study_goes_on_and_another_command_under_its_name_is_refused_with_the_difference(in_copy, tune, monkeypatch):
    monkeypatch.chdir(in_copy)  # tune went elsewhere
    refused = tune(*DEMO[4:], "--seed", 2, "--trials", 4, code=2)
    assert "The study 'demo' in sqlite:///optuna.db has other terms. seeds: [0, 1] there, [0, 1, 2] here" in refused.err
    assert "--study NAME" in refused.err
    before = study_in(in_copy)
    lost, spoilt = (in_copy / "runs" / "studies" / "demo" / "trials" / f"000{number}.json" for number in (1, 2))
    texts = lost.read_text(), spoilt.read_text()
    lost.unlink()
    spoilt.write_text(texts[0])
    (study,) = tune(*DEMO[4:], "--trials", 4).json["studies"]
    assert study["counts"]["done"] == 4
    assert study["id"] == before["id"]
    assert (lost.read_text(), spoilt.read_text()) == texts, "a record says what the storage says"


def test_a_trial_that_was_lost_three_times_has_failed(in_copy, tune, monkeypatch):
    monkeypatch.chdir(in_copy)  # tune went elsewhere
    study = optuna.load_study(study_name="demo", storage="sqlite:///optuna.db")
    for number in (3, 4, 5):
        lost = {RETRY_OF: list(range(3, number))}
        study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.FAIL, user_attrs=lost))
    (record,) = tune(*DEMO[4:], "--trials", 4).json["studies"]
    assert record["counts"] == {"done": 3, "pruned": 0, "failed": 1}
    failed = trials_of(record, in_copy)[-1]
    assert (failed.number, failed.retry_of) == (6, 3)
    assert "its process was lost in all 3 tries" in failed.reason


@pytest.mark.parametrize("gone", [True, False])
def test_what_an_earlier_study_of_the_same_name_left_is_refused_and_left_alone(in_copy, tune, monkeypatch, gone):
    monkeypatch.chdir(in_copy)  # tune went elsewhere
    if gone:
        (in_copy / "optuna.db").unlink()
    files = {path: path.read_bytes() for path in (in_copy / "runs").rglob("*") if path.is_file()}
    refused = tune(*DEMO[4:], "--trials", 1, "--storage", f"sqlite:///{'optuna' if gone else 'other'}.db", code=2)
    assert "runs/studies/demo holds another study of this name" in refused.err
    assert "--study NAME" in refused.err
    assert "--out DIR" in refused.err
    assert files == {path: path.read_bytes() for path in (in_copy / "runs").rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["../../escaped", "a/b", "", ".hidden", "a b", "x" * 101, "x" * 98])
def test_a_study_has_a_name_that_a_folder_can_have(tune, tmp_path, name):
    whole = ("--per-machine",) if len(name) == 98 else ()  # it is too long with the machine type alone
    refused = tune(*ONLY_KNN, "--trials", 1, "--study", name, *whole, code=2)
    assert "is no name of a study. Accepted: up to 100 letters, digits" in refused.err
    assert list(tmp_path.iterdir()) == []


def test_a_study_of_scorers_fits_and_embeds_once(tune, tmp_path, monkeypatch):
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))
    fits = []
    real = embedding.EmbeddingStage._fitted
    monkeypatch.setattr(embedding.EmbeddingStage, "_fitted", lambda self, fit: (fits.append(fit), real(self, fit))[1])
    tune("--only", "scorer", "--grid", scorer=("knn", "lof"))
    assert len(fits) == 2, "one for each machine type"


def interrupted_at(monkeypatch, numbers):
    """Ctrl-C in the middle of those calls."""
    count = [0]
    real = tuning_trials.run_seed

    def run_seed(*args, **options):
        count[0] += 1
        if count[0] in numbers:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(tuning_trials, "run_seed", run_seed)


def test_a_study_that_was_interrupted_goes_on_to_the_same_trials_however_often(tune, tmp_path, monkeypatch):
    words = ["--trials", 3, *ONLY_KNN, "--pruner", "none", "--machine", "fan"]
    (whole,) = tune(*words).json["studies"]
    undisturbed = trials_of(whole, tmp_path)
    words += ["--storage", "journal:a.log", "--out", tmp_path / "two" / "runs"]
    with monkeypatch.context() as patched:
        interrupted_at(patched, (2, 3, 4))
        for _ in range(3):
            done = tune(*words, code=130)
            assert "the same command goes on" in done.err
    (study,) = tune(*words).json["studies"]
    resumed = trials_of(study, tmp_path / "two")
    assert study["name"] == whole["name"]
    assert [(one.state, one.params, one.values) for one in resumed] == [
        (one.state, one.params, one.values) for one in undisturbed
    ]
    before = (tmp_path / "two" / "runs" / "studies" / study["name"] / "study.json").read_text()
    tune(*words)
    after = (tmp_path / "two" / "runs" / "studies" / study["name"] / "study.json").read_text()
    assert json.loads(before)["counts"] == json.loads(after)["counts"], "there is nothing more to do"


def test_a_trial_that_another_command_took_for_lost_is_left_to_it(tune, tmp_path, monkeypatch):
    """Where a command was away for longer than its heartbeat may be missing."""
    real, taken = tuning_trials.run_seed, []

    def run_seed(*args, **options):
        if not taken:
            (study,) = optuna.get_all_study_summaries(f"sqlite:///{tmp_path}/optuna.db")
            other = optuna.load_study(study_name=study.study_name, storage=f"sqlite:///{tmp_path}/optuna.db")
            taken.append(other.tell(0, state=optuna.trial.TrialState.FAIL))
        return real(*args, **options)

    monkeypatch.setattr(tuning_trials, "run_seed", run_seed)
    (study,) = tune("--trials", 2, *ONLY_KNN, "--pruner", "none", "--machine", "fan").json["studies"]
    assert study["counts"] == {"done": 2, "pruned": 0, "failed": 0}
    assert [(trial.number, trial.retry_of) for trial in trials_of(study, tmp_path)] == [(1, 0), (2, None)]
    assert study["default"]["trial"] == 1
