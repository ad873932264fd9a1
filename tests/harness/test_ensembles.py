"""Ensembles through the harness."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asdbench.core.errors import RequirementError
from asdbench.harness.record import load_record
from asdbench.trained.save import save_system

NAME = "raw-mel:knn,raw-mel:by-domain+mahalanobis-lw"


def runs_of(cli, *words):
    ran = cli("run", *words, "--json")
    assert ran.code == 0, ran.err
    return {(one["extractor"], one["scorer"]): Path(one["record"]).parent for one in ran.json["runs"]}


def scores_of(folder):
    files = sorted(folder.glob("scores/anomaly_score_*"))
    return pd.concat([pd.read_csv(path, header=None, names=["clip", "score"]).assign(file=path.name) for path in files])


def test_members_score_as_in_runs_of_their_own(cli, small_dataset, tmp_path):
    words = ("--dataset", str(small_dataset), "-p", "knn.n_neighbors=2", "-p", "log-mel.n_mels=32", "--out", tmp_path)
    both = ("--scorer", "knn", "--scorer", "by-domain+mahalanobis-lw")
    alone = runs_of(cli, "--extractor", "raw-mel", *both, *words)
    least = ("-p", "ensemble.normalise=none", "-p", "ensemble.combine=minimum")
    [(_, folder)] = runs_of(cli, "--extractor", NAME, "--scorer", "ensemble", *least, *words).items()
    members = [scores_of(one) for one in alone.values()]
    expected = np.minimum(*(one["score"].to_numpy() for one in members))
    np.testing.assert_allclose(scores_of(folder)["score"], expected, rtol=1e-6)
    assert scores_of(folder)["clip"].tolist() == members[0]["clip"].tolist()
    record = load_record(folder)
    assert record.status == "done"
    assert record.extractor.params["knn.n_neighbors"] == 2
    assert record.extractor.params["log-mel.n_mels"] == 32
    assert set(record.asked.params) >= {"knn.n_neighbors", "log-mel.n_mels", "ensemble.combine"}
    with pytest.raises(RequirementError, match="Save the runs of its members"):
        save_system(record, tmp_path / "saved")


def test_z_scores_are_those_of_training_clips_that_were_not_seen(cli, small_dataset, tmp_path):
    """The threshold of an ensemble of one scorer twice is that scorer's, in units of its training scores."""
    words = ("--dataset", str(small_dataset), "--machine", "fan", "--out", tmp_path)
    alone = runs_of(cli, "--extractor", "raw-mel", "--scorer", "knn", *words)
    pair = "raw-mel:knn,raw-mel:pyod:KNN"  # the same scores by two names
    together = runs_of(cli, "--extractor", pair, "--scorer", "ensemble", "-p", "pyod:KNN.n_neighbors=5", *words)
    one, both = (scores_of(next(iter(found.values()))) for found in (alone, together))
    slope, offset = np.polyfit(one["score"], both["score"], 1)
    np.testing.assert_allclose(both["score"], slope * one["score"] + offset, atol=1e-4)
    thresholds = [load_record(next(iter(found.values()))).thresholds["fan"]["00"].value for found in (alone, together)]
    decided = [(found["score"] > limit).to_numpy() for found, limit in zip((one, both), thresholds, strict=True)]
    assert 1 / slope == pytest.approx(one["score"].std() / both["score"].std(), rel=1e-3)
    assert (decided[0] == decided[1]).mean() > 0.8  # thresholds are a gamma's percentile, fitted to both


def test_an_ensemble_is_the_same_whatever_the_number_of_jobs(cli, small_dataset, tmp_path):
    words = ("--dataset", str(small_dataset), "--extractor", NAME, "--scorer", "ensemble", "--fresh")
    [first] = runs_of(cli, *words, "--out", tmp_path / "1").values()
    [second] = runs_of(cli, *words, "--jobs", "2", "--out", tmp_path / "2").values()
    for path in sorted((first / "scores").iterdir()):
        assert path.read_bytes() == (second / "scores" / path.name).read_bytes()


def test_a_member_that_fails_is_named(cli, small_dataset, tmp_path):
    words = ("--dataset", str(small_dataset), "--scorer", "ensemble", "--out", tmp_path, "--json")
    ran = cli("run", "--extractor", "raw-mel:knn,raw-mel:gmm", "-p", "knn.n_neighbors=500", *words)
    assert ran.code == 1
    failures = json.loads((Path(ran.json["runs"][0]["record"])).read_text())["failures"]
    assert "raw-mel + knn, a member of the ensemble" in failures[0]["reason"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raw-mel:knn,raw-mel", "EXTRACTOR:SCORER"),
        ("raw-mel:knn,raw-mel:knn", "same member is named twice"),
        ("raw-mel:knn,raw-mle:gmm", "Did you mean 'raw-mel'"),
        ("raw-mel:knn,raw-mel:gm", "Did you mean 'gmm'"),
    ],
)
def test_what_is_no_ensemble_is_refused(cli, name, words):
    ran = cli("run", "--extractor", name, "--scorer", "ensemble")
    assert ran.code == 2
    assert words in ran.err
