"""Own recordings through all that is done with a run: without test clips, labels or domains, with one domain, both."""

import json

import numpy as np
import pytest
import soundfile
from sklearn.metrics import roc_auc_score

import asdbench as asd
from asdbench.core.errors import RequirementError

KNN = {"extractor": "raw-mel", "scorer": "knn"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Recordings of 0.3 s in ``train/`` and, under ``<where>/test``, clips in the folders that are asked for."""
    root = tmp_path_factory.mktemp("own")

    def make(name, folders, train=("",)):
        rng = np.random.default_rng(0)
        places = [f"train/{folder}/{i}, x.wav" for folder in train for i in range(8)]
        places += [f"test/{folder}/{i}, x.wav" for folder in folders for i in range(5)]
        for place in places:
            (root / name / "pump, 1" / place).parent.mkdir(parents=True, exist_ok=True)
            hum = np.sin(np.arange(4800) * 0.3) * rng.uniform(0, 0.1) * ("anomal" in place)
            rate = 8000 if (name, place) == ("no-labels", "train//0, x.wav") else 16000
            soundfile.write(root / name / "pump, 1" / place, 0.1 * rng.standard_normal(4800) + hum, rate)
        return root / name

    return make


BOTH = [f"{domain}/{label}" for domain in ("source", "target") for label in ("normal", "anomaly")]
CASES = {
    "no-labels": ([""], "dcase2020"),
    "no-domain": (["good", "anomalous"], "dcase2020"),
    "one-domain": (["normal/target", "anomaly/target"], "dcase2020"),
    "both": (BOTH, "dcase2023"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_done_with_a_run(made, cli, tmp_path, case):
    folders, protocol = CASES[case]
    root = made(case, folders, ("source", "target") if case == "both" else ("",))
    out = tmp_path / "runs"
    words = ("run", "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "mahalanobis-lw", "--out", out)
    done = cli(*words, "--dataset", root, "--json")
    assert done.code == 0
    assert ("1 of 13 recordings are resampled to 16000 Hz, from 8000 Hz." in done.err) == (case == "no-labels")
    knn, other = done.json["runs"]
    folder = out / knn["run_id"]
    assert knn["protocol"] == protocol
    assert ("AUC and pAUC over all test clips" in "".join(knn["notes"])) == (case in ("no-domain", "one-domain"))
    run = asd.open_runs(folder)[0]
    scores = run.scores("pump, 1")
    assert len(scores) == 5 * len(folders)
    assert cli("report", folder).code == 0
    evaluated = cli("evaluate", folder, "--json")
    if case == "no-labels":
        assert (knn["official_score"], evaluated.code) == (None, 1)
        labels = "".join(f"{root}/pump, 1/test/{i}, x.wav;test;{i % 2};pump, 1\n" for i in range(5))
        (tmp_path / "labels.csv").write_text("path;split;label;machine\n" + labels)
        evaluated = cli("evaluate", folder, "--ground-truth", tmp_path / "labels.csv", "--json")
        expected = roc_auc_score([0, 1, 0, 1, 0], scores["score"])
        assert evaluated.json["machines"]["pump, 1"]["auc"] == pytest.approx(expected)
        return
    assert evaluated.json["official_score"] == pytest.approx(knn["official_score"])
    machine = knn["machines"]["pump, 1"]
    assert machine["auc"] == pytest.approx(roc_auc_score(scores["label"].astype(int), scores["score"]))
    if protocol == "dcase2020":
        assert knn["official_score"] == pytest.approx((machine["auc"] + machine["pauc"]) / 2)
        shown = cli(*words, "--dataset", root)
        assert "mean of AUC and pAUC over all clips" in shown.out
        assert "official score" not in shown.out
        assert "mean of AUC and pAUC over all clips" in (folder / "report.html").read_text()
    compared = cli("compare", folder, out / other["run_id"], "--json")
    assert (compared.code, cli("leaderboard", "add", folder, "--board-dir", tmp_path / "boards").code) == (0, 0)
    # The table of the folder is the same data set: nothing is fitted anew, and the scores are the same bytes.
    table = tmp_path / case / f"{root.name}.csv"
    table.parent.mkdir()
    assert cli("data", "table", root, "--to", table).code == 0
    again = cli(*words, "--dataset", table, "--json").json["runs"][0]
    assert again["run_id"] == knn["run_id"]


def test_without_test_clips(made, cli, tmp_path):
    root = made("no-test", [])
    data = asd.load(root)
    assert len(data.training("pump, 1")) == 8
    assert cli("data", "info", root, "--json").json["clips"] == [
        {"machine": "pump, 1", "section": "00", "split": "train", "domain": "-", "label": "normal", "clips": 8}
    ]
    assert cli("data", "verify", root).code == 0
    with pytest.raises(RequirementError, match="no test clips"):
        asd.run(data, out=tmp_path / "runs", **KNN)
    refused = cli("run", "--extractor", "raw-mel", "--scorer", "knn", "--dataset", root, "--out", tmp_path / "runs")
    assert (refused.code, "asdbench fit" in refused.err, len(refused.err.strip().splitlines())) == (3, True, 3)


def test_a_study_on_own_recordings(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = made("tuned", ["normal", "anomaly"])
    study = asd.tune(root, trials=2, spaces={"scorer.n_neighbors": [1, 2]}, out=tmp_path / "tuning", **KNN)
    assert study.best is not None


def test_information_on_own_recordings(made, cli):
    root = made("info", ["normal"], ("am", "pm"))
    (root / "pump, 1" / "notes.txt").write_text("hello")
    (root / "pump, 1" / "train" / "cut.wav").write_bytes(b"RIFF")
    (root / "pump, 1" / "train" / "text.wav").write_text("hello")
    told = cli("data", "info", root, "--json").json
    assert (told["layout"], told["attributes"], told["unreadable"]) == ("own", {"folder": ["am", "pm"]}, 2)
    assert told["left_aside"] == ["pump, 1/notes.txt: no recording"]
    shown = cli("data", "info", root)
    for part in ("attribute folder: am, pm", "left aside: pump, 1/notes.txt", "cannot be used: pump, 1/train/cut.wav"):
        assert part in shown.out
    refused = cli("run", "--extractor", "raw-mel", "--scorer", "knn", "--dataset", root)
    assert "no anomalous test clips" in refused.err
    assert json.dumps(told)
