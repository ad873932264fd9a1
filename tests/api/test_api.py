"""The public API: the same numbers as the command line, from Python."""

import doctest
import subprocess
import sys
from importlib import import_module
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from pyod.models.iforest import IForest
from scipy.spatial.distance import cdist
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

import asdbench as asd
from asdbench.core.errors import AsdbenchError, DataError, UsageError
from asdbench.scorers import Scorer


@pytest.fixture
def data(small_dataset):
    return asd.load(small_dataset)


@pytest.fixture
def run(data, tmp_path):
    def call(*args, **options):
        return asd.run(data, *args, out=tmp_path / "runs", **options)

    return call


def test_importing_the_package_takes_nothing_heavy():
    code = (
        "import asdbench, sys; print(sorted({'torch', 'pandas', 'sklearn', 'pydantic', 'mlflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_every_exported_name_is_there_and_documented():
    for name in asd.__all__:
        found = getattr(asd, name)
        assert name == "__version__" or found.__doc__
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        asd.runn  # noqa: B018


@pytest.mark.usefixtures("small_synthetic")
@pytest.mark.parametrize("module", ["loading", "components", "running", "evaluating"])
def test_the_examples_of_the_docstrings(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(import_module(f"asdbench.api.{module}"))
    assert found.attempted
    assert not found.failed


def test_a_run_is_that_of_the_command_line_to_the_last_digit(run, cli, small_dataset, tmp_path):
    runs = run("raw-mel", ["knn", "mahalanobis-lw"], seeds=[0, 1], machines=["fan"])
    done = cli(
        "run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "mahalanobis-lw",
        "--machine", "fan", "--seed", 0, "--seed", 1, "--out", tmp_path / "cli", "--json",
    )  # fmt: skip
    theirs = {one["run_id"]: one for one in done.json["runs"]}
    assert [(one.scorer, one.seed) for one in runs] == [
        ("knn", 0), ("knn", 1), ("mahalanobis-lw", 0), ("mahalanobis-lw", 1),
    ]  # fmt: skip
    for one in runs:
        assert one.score == one.official_score == theirs[one.id]["official_score"]
        assert list(one.ci95) == theirs[one.id]["ci95"]
        for path in sorted((one.folder / "scores").iterdir()):
            assert path.read_bytes() == (tmp_path / "cli" / one.id / "scores" / path.name).read_bytes()


def test_runs_become_a_table(run):
    runs = run("raw-mel", "knn")
    table = runs.to_frame()
    assert list(table.columns) == [
        "extractor", "scorer", "dataset", "seed", "score", "ci_low", "ci_high", "status", "fan", "valve",
    ]  # fmt: skip
    row = table.iloc[0]
    assert row["score"] == runs[0].score
    assert (row["ci_low"], row["ci_high"]) == runs[0].ci95
    assert row["fan"] == runs[0].record.results.machines["fan"].official_score
    assert "raw-mel" in runs._repr_html_()
    assert len(runs[:1]) == 1


def test_a_notebook_shows_scores_in_percent_and_varied_parameters_as_they_are(run):
    runs = run("raw-mel", [asd.scorer("knn", n_neighbors=1), asd.scorer("knn", n_neighbors=4)], machines=["fan"])
    names, *rows = ([cell.text for cell in row] for row in ElementTree.fromstring(runs._repr_html_()).iter("tr"))
    shown = [dict(zip(names, row, strict=True)) for row in rows]
    assert [row["knn.n_neighbors"] for row in shown] == ["1", "4"]
    percent = [f"{100 * one.score:.2f}" for one in runs]
    assert [row["score"] for row in shown] == [row["fan"] for row in shown] == percent


def test_scores_and_embeddings_are_those_that_were_used(run, data):
    (one,) = run("raw-mel", "knn", params={"knn.n_neighbors": 1, "knn.metric": "euclidean"})
    train, test = one.embeddings("fan", split="train"), one.embeddings("fan", split="test")
    clips = one.clips("fan", split="test")
    assert len(train) == 20
    assert list(clips["name"]) == [clip.name for clip in data.select(machines=["fan"], split="test")]
    scores = one.scores("fan").set_index("name").loc[list(clips["name"])]
    nearest = cdist(test.astype(float), train.astype(float)).min(axis=1)
    assert scores["score"].to_numpy() == pytest.approx(nearest)
    assert set(scores["label"]) == {0, 1}
    assert ((scores["score"] > scores["threshold"]) == (scores["decision"] == 1)).all()
    with pytest.raises(UsageError, match="no machine 'pump'"):
        one.scores("pump")
    with pytest.raises(UsageError, match="Accepted: fan, valve"):
        one.embeddings()


class Distance:
    """Distance to the mean; knows nothing of asdbench."""

    def fit(self, rows):
        self.mean = rows.mean(axis=0)

    def score(self, rows):
        return np.linalg.norm(rows - self.mean, axis=1)


class WithClips(Distance):
    """Wants to know the domains."""

    def fit(self, rows, clips=None):
        assert {clip.domain for clip in clips} == {"source", "target"}
        super().fit(rows)
        return self


class Ours(Scorer):
    """A scorer as a plugin's author writes it."""

    def fit(self, embeddings, clips):
        self.mean = embeddings.mean(axis=0)

    def score(self, embeddings):
        return np.linalg.norm(embeddings - self.mean, axis=1).astype(float)


def test_an_object_of_ones_own_is_a_scorer(run):
    given = Distance()
    plain, clips, ours = run("raw-mel", [given, WithClips(), Ours()])
    assert plain.score == clips.score == ours.score
    assert not hasattr(given, "mean"), "it is copied"
    train, test = plain.embeddings("fan", split="train"), plain.embeddings("fan", split="test")
    expected = np.linalg.norm(test - train.mean(axis=0), axis=1)
    names = list(plain.clips("fan", split="test")["name"])
    assert plain.scores("fan").set_index("name").loc[names, "score"].to_numpy() == pytest.approx(expected, rel=1e-3)
    assert plain.record.scorer.target.endswith(":Distance")
    (again,) = run("raw-mel", Distance())
    assert again.id != plain.id, "an object may hold anything, so no run is taken for another's"


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda: OneClassSVM(nu=0.2), "sklearn:svm.OneClassSVM"),
        (lambda: LocalOutlierFactor(n_neighbors=5), "sklearn:neighbors.LocalOutlierFactor"),
        (lambda: IForest(n_estimators=10, random_state=0), None),
    ],
)
def test_detectors_of_libraries_are_turned_so_that_higher_is_more_anomalous(made, name, run, data):
    (one,) = run("raw-mel", made())
    train, test = one.embeddings("fan", split="train"), one.embeddings("fan", split="test")
    detector = made()
    if name and "LocalOutlierFactor" in name:
        detector.set_params(novelty=True)
    detector.fit(train)
    expected = -detector.score_samples(test) if name else detector.decision_function(test)
    names = list(one.clips("fan", split="test")["name"])
    assert one.scores("fan").set_index("name").loc[names, "score"].to_numpy() == pytest.approx(expected, rel=1e-3)


class Pool(torch.nn.Module):
    """Mean of each bin."""

    def forward(self, features):
        assert not self.training
        return features.mean(dim=-1).flatten(1)


def test_a_torch_module_is_an_extractor(run):
    own, known = run([Pool(), asd.extractor("raw-mel", poolings=["mean"])], "knn")
    assert own.embeddings("fan") == pytest.approx(known.embeddings("fan"), abs=1e-3)
    assert own.score == pytest.approx(known.score, abs=0.05)


def test_what_cannot_be_pickled_runs_in_this_process(run):
    (one,) = run("raw-mel", NotPicklable(), jobs=2)
    assert one.status == "done"


class NotPicklable(Distance):
    """Holds a lambda, which pickle refuses and a deep copy does not."""

    def __init__(self):
        self.norm = lambda rows: np.linalg.norm(rows, axis=1)


@pytest.mark.parametrize(
    ("scorer", "words"),
    [
        (object(), "no method fit"),
        (type("Half", (), {"fit": lambda self, rows: None})(), "no method score"),
        ("kn", "Did you mean 'knn'"),
        (asd.extractor("raw-mel"), "where one of the scorers is wanted"),
    ],
)
def test_what_is_no_scorer_is_refused(scorer, words, run):
    with pytest.raises(UsageError, match=words):
        run("raw-mel", scorer)


class Broken(Distance):
    def score(self, rows):
        raise ZeroDivisionError("on purpose")


def test_a_failed_run_is_a_run_with_a_reason(run):
    failed, done = run("raw-mel", [Broken(), "knn"])
    assert (failed.status, failed.score, failed.ci95) == ("failed", None, None)
    assert "on purpose" in failed.failures[0]
    assert done.status == "done"
    assert "failed" in repr(failed)
    with pytest.raises(AsdbenchError, match="has no score"):
        asd.compare(failed, done)


def test_two_systems_are_compared_on_the_same_clips(run, tmp_path, cli):
    runs = run("raw-mel", ["mahalanobis-lw", "knn"], seeds=[0, 1])
    found = asd.compare(runs[:2], runs[2:], replicates=200)
    assert found.difference == pytest.approx(runs[0].score - runs[2].score)
    assert found.ci95[0] <= found.difference <= found.ci95[1]
    theirs = cli(
        "compare", "raw-mel+mahalanobis-lw", "raw-mel+knn", "--out", tmp_path / "runs", "--replicates", 200, "--json"
    ).json
    assert found.difference == theirs["official_score"]["difference"]
    assert list(found.ci95) == theirs["official_score"]["ci95"]
    assert found.to_frame().set_index("machine").loc["all", "difference"] == found.difference
    low, high = (f"{100 * end:+.2f}" for end in found.ci95)
    assert f"{100 * found.difference:+.2f} [{low}, {high}] points" in repr(found)
    assert repr(found).endswith(" not significant>" if low[0] != high[0] else " significant>")


def test_score_files_are_evaluated_as_by_the_command_line(run, official_score_of_files):
    (one,) = run("raw-mel", "knn")
    found = asd.evaluate(one.folder / "scores", protocol="dcase2023", split="own")
    assert found.official_score == pytest.approx(one.score)
    assert found.official_score == pytest.approx(official_score_of_files(one.folder / "scores"))


def test_a_scorer_works_on_plain_arrays():
    rng = np.random.default_rng(0)
    rows, others = rng.normal(size=(40, 5)), rng.normal(size=(7, 5))
    scorer = asd.scorer("knn", n_neighbors=3)
    assert scorer.fit(rows) is scorer
    expected = np.sort(cdist(others.astype(np.float32), rows.astype(np.float32)), axis=1)[:, 2]
    assert scorer.score(others) == pytest.approx(expected, rel=1e-5)
    assert scorer.training_scores.shape == (40,)
    domains = ["source"] * 30 + ["target"] * 10
    assert asd.scorer("knn-domains").fit(rows, domains=domains).score(others).shape == (7,)
    with pytest.raises(UsageError, match="is not fitted"):
        asd.scorer("knn").score(rows)
    with pytest.raises(UsageError, match="not finite"):
        asd.scorer("knn").fit(np.full((20, 2), np.nan))
    with pytest.raises(UsageError, match="no parameter 'neighbors'"):
        asd.scorer("knn", neighbors=3)


def test_audio_is_embedded_without_a_data_set(data, run):
    import soundfile

    (one,) = run("raw-mel", "knn")
    clips = list(data.select(machines=["fan"], split="test"))[:3]
    sounds = [soundfile.read(clip.path, dtype="float32")[0] for clip in clips]
    rows = asd.extractor("raw-mel").embed_audio(sounds, 16000)
    assert rows == pytest.approx(one.embeddings("fan", split="test")[:3], abs=1e-4)
    with pytest.raises(UsageError, match="has to be trained"):
        asd.extractor("autoencoder").embed_audio(sounds, 16000)
    trained = asd.extractor("autoencoder", epochs=1).fit(data, "fan")
    assert trained.embed_audio(sounds, 16000).shape == (3, 1)
    with pytest.raises(UsageError, match="name one of fan, valve"):
        asd.extractor("autoencoder", epochs=1).fit(data)
    with pytest.raises(DataError, match="recording 1"):
        asd.extractor("raw-mel").embed_audio([sounds[0], np.zeros(10, np.float32)], 16000)


def test_a_data_set_tells_what_it_holds_and_hides_what_must_not_be_seen(data, small_dataset):
    assert data.machines == ["fan", "valve"]
    table = data.to_frame()
    assert len(table) == len(data) == 2 * 36
    assert set(table["split"]) == {"train", "test"}
    assert len(data.training("fan")) == 20
    assert not hasattr(data.blind("fan")[0], "label")
    assert "fan" in data._repr_html_()
    assert asd.load(data, machines=["fan"]).machines == ["fan"]
    with pytest.raises(UsageError, match="neither a folder nor a card"):
        asd.load("no-such-data")
    with pytest.raises(UsageError, match="takes no parameters"):
        asd.load(small_dataset, seed=3)


def test_runs_are_found_again(run, tmp_path):
    (one,) = run("raw-mel", "knn")
    (found,) = asd.open_runs(one.id, out=tmp_path / "runs")
    assert found.score == one.score
    assert found.embeddings("fan") == pytest.approx(one.embeddings("fan"))
    assert len(asd.open_runs(out=tmp_path / "runs")) == 1
