"""``asdbench compare``: pairs, gates, rankings. Runs are made by hand, so their truth is known."""

import itertools
import json
import shutil

import numpy as np
import pytest
import scipy.stats
from made_runs import made_run

MACHINES = ("fan", "valve")
FEW = ("--replicates", "200")
SYSTEMS = ("raw-mel+knn", "raw-mel+lof", "raw-mel+gmm", "raw-mel+random")


@pytest.fixture(scope="module")
def four_systems(tmp_path_factory):
    """Two seeds each: the first two alike, the third worse, the last by chance."""
    out = tmp_path_factory.mktemp("made") / "runs"
    qualities = {"knn": 3.0, "lof": 3.0, "gmm": 1.2, "random": 0.0}
    for (scorer, quality), seed in itertools.product(qualities.items(), range(2)):
        made_run(out, "raw-mel", scorer, seed, quality, dataset="pumps", machines=MACHINES)
    return out


@pytest.fixture
def out(four_systems, tmp_path):
    return shutil.copytree(four_systems, tmp_path / "runs")


@pytest.fixture
def make_run(tmp_path):
    """``make_run("knn", 1.5, seed=1)`` writes to the same folder, unless ``out`` says else."""

    def make(scorer, quality, seed=0, *, out=tmp_path / "runs", **options):
        return made_run(out, "raw-mel", scorer, seed, quality, **{"dataset": "pumps", "machines": MACHINES, **options})

    return make


def official(folder, machine=None):
    results = json.loads((folder / "run.json").read_text())["results"]
    return (results["machines"][machine] if machine else results)["official_score"]


def run_of(out, scorer, seed):
    (folder,) = out.glob(f"raw-mel-{scorer}-pumps-s{seed}-*")
    return folder


def mean_score(out, scorer, dataset="pumps", machine=None):
    return np.mean([official(folder, machine) for folder in out.glob(f"raw-mel-{scorer}-{dataset}-*")])


def test_a_system_means_all_its_seeds(cli, four_systems):
    words = ("compare", "raw-mel+knn", "raw-mel+gmm", "--out", four_systems, *FEW)
    found = cli(*words, "--json").json
    gap = mean_score(four_systems, "knn") - mean_score(four_systems, "gmm")
    assert found["official_score"]["difference"] == pytest.approx(gap, abs=1e-12)
    assert found["datasets"]["pumps"]["a"]["seeds"] == [0, 1]
    assert len(found["datasets"]["pumps"]["b"]["runs"]) == 2
    low, high = found["official_score"]["ci95"]
    assert 0 < low < gap < high
    assert found["official_score"]["probability_of_being_better"] > 0.97
    for machine in MACHINES:
        own = mean_score(four_systems, "knn", machine=machine) - mean_score(four_systems, "gmm", machine=machine)
        assert found["machines"][machine]["difference"] == pytest.approx(own, abs=1e-12)
    back = cli("compare", "raw-mel+gmm", "raw-mel+knn", *words[3:], "--json").json
    assert back["official_score"]["difference"] == pytest.approx(-gap, abs=1e-12)
    shown = cli(*words).out
    assert f"{100 * gap:+.2f}" in shown
    assert "These test clips tell them apart: A is better." in shown
    assert "do not tell them apart" in cli("compare", "raw-mel+knn", "raw-mel+lof", *words[3:]).out
    assert "2 seeds each: intervals are of the choice of test clips and of seeds" in shown


def test_one_run_against_a_system(cli, four_systems):
    run = run_of(four_systems, "knn", 1)
    words = ("compare", run.name[:-4], "raw-mel+knn", "--out", four_systems, *FEW)
    found = cli(*words, "--json").json
    gap = official(run) - mean_score(four_systems, "knn")
    assert found["official_score"]["difference"] == pytest.approx(gap, abs=1e-12)
    assert (found["a"], found["datasets"]["pumps"]["a"]["seeds"]) == (run.name[:-4], [1])
    assert "A has one seed, whose chance they do not hold" in cli(*words).out


def test_the_gate_is_on_means_over_seeds(cli, make_run, four_systems, tmp_path):
    for seed in range(2):
        make_run("knn", 1.0, seed, out=tmp_path / "changed")
    drop = 100 * (mean_score(four_systems, "knn") - mean_score(tmp_path / "changed", "knn"))
    words = ("compare", f"{four_systems}/raw-mel+knn", f"{tmp_path}/changed/raw-mel+knn", *FEW, "--max-drop")
    stopped = cli(*words, f"{drop - 0.01:.4f}")
    assert (stopped.code, "On pumps B is lower than A by more than" in stopped.out) == (1, True)
    passed = cli(*words, f"{drop + 0.01:.4f}", "--json")
    assert (passed.code, passed.json["dropped"]) == (0, False)


@pytest.mark.parametrize("gap", ["failed", "unreadable", "nameless", "seed", "data set"])
def test_an_incomplete_system_does_not_pass_the_gate(cli, make_run, out, tmp_path, gap):
    """All that is there of B is as good as A; without the gate it is compared, with a warning."""
    changed = tmp_path / "changed"
    for folder in sorted(out.glob("raw-mel-knn-*")):
        shutil.copytree(folder, changed / folder.name)
    last = run_of(changed, "knn", 1)
    if gap == "failed":
        shutil.rmtree(last)
        failed = make_run("knn", 3.0, 1, out=changed, failed=["fan"])
        expected = f"seed 1 on pumps failed ({failed.name}): score of fan: covariance is singular"
    elif gap == "data set":
        make_run("knn", 3.0, dataset="belts")
        expected = "no run on belts, which A has"
    elif gap == "seed":
        shutil.rmtree(last)
        expected = "no run of seed 1 on pumps, which A has"
    else:
        name = last.name if gap == "unreadable" else "copy"
        shutil.move(last, changed / name)
        (changed / name / "run.json").write_text("{")
        expected = f"{name} cannot be read and may be of it"
    stopped = cli("compare", out / "raw-mel+knn", changed / "raw-mel+knn", *FEW, "--max-drop", "1", "--json")
    assert (stopped.code, expected in stopped.json["incomplete"], stopped.json["dropped"]) == (1, True, False)
    assert f"B ({changed / 'raw-mel+knn'}) is incomplete" in stopped.err
    assert expected in stopped.err
    if gap == "seed":
        assert cli("compare", out / "raw-mel+knn", changed / "raw-mel+knn", *FEW).code == 0
        back = cli("compare", changed / "raw-mel+knn", out / "raw-mel+knn", *FEW, "--max-drop", "1")
        assert back.code == 0, "more than there was is no gap"


def test_a_run_named_by_itself_lacks_nothing(cli, four_systems):
    run = run_of(four_systems, "gmm", 1)
    worse = ("compare", "raw-mel+knn", run, "--out", four_systems, *FEW, "--max-drop", "100", "--json")
    assert cli(*worse).json["incomplete"] == []


def test_several_data_sets_are_compared_each_by_itself(cli, make_run, out):
    for scorer, quality in (("knn", 0.5), ("gmm", 2.5)):
        make_run(scorer, quality, dataset="belts")
    make_run("lof", 1.0, dataset="cranes")
    words = ("compare", "raw-mel+knn", "raw-mel+gmm", "--out", out, *FEW)
    both = cli(*words, "--json", "--max-drop", "5")
    assert list(both.json["datasets"]) == ["belts", "pumps"]
    assert both.json["datasets"]["belts"]["dropped"] is False
    assert "official_score" not in both.json, "nothing is averaged across data sets"
    back = cli("compare", "raw-mel+gmm", "raw-mel+knn", "--out", out, *FEW, "--max-drop", "5", "--json")
    assert (back.code, back.json["datasets"]["belts"]["dropped"]) == (1, True), "a drop on one of them counts"
    assert list(cli(*words, "--dataset", "belts", "--json").json["datasets"]) == ["belts"]
    many = cli("compare", "raw-mel+knn", "raw-mel+gmm", "raw-mel+lof", "--out", out, *FEW, "--json")
    assert list(many.json["datasets"]) == ["pumps"]
    assert "not compared on belts, cranes, where not all of them have runs" in many.err


def test_many_systems_share_ranks(cli, four_systems):
    found = cli("compare", *SYSTEMS, "--out", four_systems, "--json", *FEW).json["datasets"]["pumps"]
    ranks = {row["system"]: row["rank"] for row in found["systems"]}
    assert ranks == {"raw-mel + knn": 1, "raw-mel + lof": 1, "raw-mel + gmm": 3, "raw-mel + random": 4}
    scores = [row["score"] for row in found["systems"]]
    assert scores == sorted(scores, reverse=True)
    assert len(found["differences"]) == 6
    for pair in found["differences"]:
        apart = pair["ci95"][0] > 0 or pair["ci95"][1] < 0
        assert not apart or ranks[pair["a"]] < ranks[pair["b"]]
        scorers = [pair[side].removeprefix("raw-mel + ") for side in "ab"]
        gap = mean_score(four_systems, scorers[0]) - mean_score(four_systems, scorers[1])
        assert pair["difference"] == pytest.approx(gap, abs=1e-12)


def test_average_ranks_are_over_machine_types_of_all_data_sets(cli, make_run, out):
    scorers = ("knn", "gmm", "random")
    for scorer in scorers:
        make_run(scorer, 0.7, dataset="belts")
    found = cli("compare", *(f"raw-mel+{one}" for one in scorers), "--out", out, "--json", *FEW).json["average_ranks"]
    blocks = [(dataset, machine) for dataset in ("belts", "pumps") for machine in MACHINES]
    assert [tuple(block) for block in found["blocks"]] == blocks
    values = [[mean_score(out, scorer, *block) for scorer in scorers] for block in blocks]
    expected = scipy.stats.rankdata(-np.array(values), axis=1).mean(axis=0)
    assert [found["ranks"][f"raw-mel + {scorer}"] for scorer in scorers] == pytest.approx(expected)
    assert found["friedman"] == pytest.approx(scipy.stats.friedmanchisquare(*np.transpose(values)).statistic)


def test_what_a_person_sees_of_many_and_the_diagram_in_a_file(cli, four_systems, tmp_path):
    words = ("compare", *SYSTEMS, "--out", four_systems, *FEW, "--alpha", "0.1")
    shown = cli(*words, "--figure", tmp_path / "ranks.svg").out
    assert "2 seeds each" in shown
    assert "alpha 0.1" in shown
    assert "critical difference" in shown
    lines = shown.splitlines()
    start = lines.index("Average ranks over 2 machine types")
    marks = [line.index("●") for line in lines[start + 3 : start + 7]]
    assert marks == sorted(marks), "the best first, marks from left to right"
    assert (tmp_path / "ranks.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["raw-mel+knn"], "two names or more: asdbench compare raw-mel+knn OTHER"),
        (["raw-mel+knn", "raw-mel+gmm", "raw-mel+lof", "--max-drop", "1"], "--max-drop asks whether B is worse than A"),
        (["raw-mel+knn", "raw-mel+gmm", "raw-mel+knn"], "raw-mel+knn is named twice"),
        (["raw-mel+knn", "raw-mel+gmm", "--figure", "{tmp}/a.svg"], "need three names or more"),
        (["raw-mel+knn", "raw-mel+gmm", "raw-mel+lof", "--figure", "{tmp}/a.jpg"], "accepted are .svg, .png, .pdf"),
        (["raw-mel+knn", "raw-mel+gmm", "raw-mel+lof", "--alpha", "2"], "is not in the range 0<x<1"),
        (["raw-mel+knn", "raw-mel+gmm", "--dataset", "pump"], "has no run on it. Did you mean 'pumps'?"),
        (["raw-mel+kn", "raw-mel+gmm"], "No run 'raw-mel+kn' in {out}, and no system. Did you mean 'raw-mel + knn'?"),
        (["raw-mel", "raw-mel+gmm"], "'raw-mel' means 8 runs:"),
        *((["raw-mel+gmm", "raw-mel+lof", "--max-drop", value], "--max-drop")
          for value in ("nan", "inf", "1e400", "1_0", "-1", "101", "\u0663")),
    ],
)  # fmt: skip
def test_mistakes(cli, four_systems, tmp_path, words, message):
    outcome = cli("compare", *(word.format(tmp=tmp_path) for word in words), "--out", four_systems, *FEW)
    assert (outcome.code, outcome.out) == (2, "")
    assert message.format(out=four_systems) in outcome.err
    assert not list(tmp_path.iterdir()), "nothing is left behind"
