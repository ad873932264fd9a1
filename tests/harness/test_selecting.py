"""Choosing among runs without labels."""

from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import hmean

from asdbench.harness.record import load_record

WORDS = ("--extractor", "raw-mel", "--scorer", "mahalanobis-lw", "--scorer", "knn", "--scorer", "random")


@pytest.fixture(scope="module")
def many_clips(tmp_path_factory):
    """Two machine types, 1 s clips, 30 + 10 for training and 16 for testing each."""
    import asdbench
    from asdbench.core.progress import Silent

    folder = tmp_path_factory.mktemp("selecting") / "many"
    maker = asdbench.build(
        "synthetic", machines=["fan", "valve"], clip_s=1.0, train_source=30, train_target=10, test=16
    )
    maker.make(folder, 2, Silent())
    return folder


def chosen(cli, *words):
    ran = cli("run", *WORDS, "--select", "normal-only", *words, "--json")
    assert ran.code == 0, ran.err
    return ran.json["choices"], {one["run_id"]: load_record(Path(one["record"]).parent) for one in ran.json["runs"]}


def test_what_is_said_of_a_choice_is_what_the_records_say(cli, many_clips, tmp_path):
    [choice], records = chosen(cli, "--dataset", str(many_clips), "--out", tmp_path)
    means = {run: fmean(merits.values()) for run, merits in choice["merits"].items()}
    assert choice["chosen"] == max(means, key=means.get)
    scores = {run: record.results.official_score for run, record in records.items()}
    assert choice["score"] == scores[choice["chosen"]]
    assert choice["oracle_score"] == max(scores.values()) == scores[choice["oracle"]]
    assert choice["mean_score"] == pytest.approx(fmean(scores.values()))
    terms = []
    for machine, run in choice["of_machine"].items():
        assert choice["merits"][run][machine] == max(merits[machine] for merits in choice["merits"].values())
        own = records[run].results.machines[machine]
        terms += [own.auc_source, own.auc_target, own.pauc]
    assert choice["mixed_score"] == pytest.approx(hmean(terms))


def test_a_scorer_by_chance_has_the_merit_of_chance_and_a_real_one_more(cli, many_clips, tmp_path):
    [choice], records = chosen(cli, "--dataset", str(many_clips), "--out", tmp_path)
    merit = {records[run].scorer.name: fmean(found.values()) for run, found in choice["merits"].items()}
    assert 0.4 < merit["random"] < 0.6
    assert merit["mahalanobis-lw"] > merit["random"] + 0.05


def test_no_label_is_looked_at(cli, many_clips, tmp_path):
    """With the labels of all test clips swapped, and so other scores, everything is chosen as before."""
    swapped = tmp_path / "many"
    for path in many_clips.rglob("*.wav"):
        name = path.name
        if path.parent.name == "test":
            pair = ("_normal_", "_anomaly_")
            name = name.replace(*pair) if pair[0] in name else name.replace(*pair[::-1])
            name = name.replace("_vel", "_x_vel") if (path.parent / name).exists() else name
        target = swapped / path.relative_to(many_clips).with_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    [before], told = chosen(cli, "--dataset", str(many_clips), "--out", tmp_path / "1")
    [after], told_now = chosen(cli, "--dataset", str(swapped), "--out", tmp_path / "2")

    def by_scorer(choice, records):
        return {records[run].scorer.name: merits for run, merits in choice["merits"].items()}

    assert by_scorer(before, told) == by_scorer(after, told_now)
    assert told[before["chosen"]].scorer.name == told_now[after["chosen"]].scorer.name
    assert before["score"] != after["score"]


def test_an_ensemble_is_judged_by_members_that_have_not_seen_the_clips(cli, many_clips, tmp_path):
    """The smaller of a score by chance and one far above it is chance's, so both have the same merit."""

    def merit(*words):
        where = ("--dataset", str(many_clips), "--machine", "fan", "--out", tmp_path)
        ran = cli("run", *words, "--select", "normal-only", *where, "--json")
        [choice] = ran.json["choices"]
        assert not choice["left_out"]
        [found] = choice["merits"].values()
        return found["fan"]

    members = ("--extractor", "raw-mel:mahalanobis-lw,raw-mel:random", "--scorer", "ensemble")
    smaller = merit(*members, "-p", "ensemble.normalise=none", "-p", "ensemble.combine=minimum")
    assert smaller == pytest.approx(merit("--extractor", "raw-mel", "--scorer", "random"), abs=1e-3)
    assert merit(*members) > smaller + 0.05


def test_runs_that_cannot_be_judged_are_left_out_and_said(cli, many_clips, tmp_path):
    names = [str(path.relative_to(many_clips)) for path in many_clips.rglob("*.wav")]
    rows = np.random.default_rng(0).normal(size=(len(names), 3))
    np.savez(tmp_path / "rows.npz", **dict(zip(names, rows, strict=True)))
    words = ("--extractor", "precomputed", "-p", f"embedding-file.file={tmp_path / 'rows.npz'}", "--machine", "fan")
    [choice], records = chosen(cli, "--dataset", str(many_clips), *words, "--out", tmp_path)
    elsewhere = {run for run, record in records.items() if record.extractor.name == "precomputed"}
    assert set(choice["left_out"]) == elsewhere
    assert not set(choice["merits"]) & elsewhere
    assert np.isfinite(list(choice["merits"][choice["chosen"]].values())).all()


def test_what_was_chosen_is_shown_beside_the_best(cli, many_clips, tmp_path):
    ran = cli("run", *WORDS, "--select", "normal-only", "--dataset", str(many_clips), "--out", tmp_path)
    assert ran.code == 0
    for words in ("Chosen by training clips alone", "best of all", "mean of all"):
        assert words in ran.out


def test_too_few_clips_are_said(cli, tmp_path):
    words = ("-p", "synthetic.train_source=5", "-p", "synthetic.train_target=1", "-p", "synthetic.test=4")
    small = ("-p", "synthetic.machines=fan", "-p", "synthetic.clip_s=1", "-p", "knn.n_neighbors=2")
    ran = cli("run", *WORDS, "--select", "normal-only", *words, *small, "--out", tmp_path)
    assert ran.code == 1
    assert "takes at least 10" in ran.err


def test_another_word_is_refused(cli, tmp_path):
    ran = cli("run", *WORDS, "--select", "oracle", "--out", tmp_path)
    assert ran.code == 2
    assert "normal-only" in ran.err
