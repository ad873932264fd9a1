"""``asdbench compare``: pairs, many systems, names, mistakes. Runs are written by hand, so their truth is known."""

import hashlib
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from asdbench.submission.label import require_label

from asdbench.core.errors import RequirementError
from asdbench.harness.record import RunRecord, load_record, write_record
from asdbench.protocols import SectionScores, evaluate
from asdbench.report.contents import read_contents
from asdbench.submission.write import write_submission

MACHINES = ("bearing", "fan", "gearbox", "slider", "valve")
CLIPS = 10  # of each domain and label
FEW = ("--replicates", "200")
NEWER = {name: f"pumps-{name}".replace("-fan", "-newer") for name in MACHINES}


def clips():
    return [
        (f"section_00_{domain}_test_{label}_{number:04d}", domain, int(label == "anomaly"))
        for domain in ("source", "target")
        for label in ("normal", "anomaly")
        for number in range(CLIPS)
    ]


def write_run(out, scorer, gap, seed=0, *, dataset="pumps", machines=MACHINES, **changes):
    """A run whose anomalies stand ``gap`` above normal clips."""
    folder = out / f"raw-mel-{scorer}-{dataset}-s{seed}-{changes.pop('mark', '0')}"
    (folder / "scores").mkdir(parents=True)
    sections = {}
    for machine in machines:
        hard = np.random.default_rng([len(dataset), *machine.encode()]).normal(size=4 * CLIPS)
        own = np.random.default_rng([seed, *scorer.encode(), *machine.encode()]).normal(size=4 * CLIPS)
        labels = np.array([label for *_, label in clips()])
        scores = hard + 0.5 * own + gap * labels
        names = [name for name, *_ in clips()]
        lines = [f"{name},{score}\n" for name, score in zip(names, scores, strict=True)]
        (folder / "scores" / f"anomaly_score_{machine}_section_00_test.csv").write_text("".join(lines))
        domains = np.array([domain for _, domain, _ in clips()])
        sections[machine, "00"] = SectionScores(labels, domains, scores, None, tuple(names))
    parts = {
        role: {"name": name, "target": "a:B", "version": 1, "params": dict(changes.pop(f"{role}_params", {}))}
        for role, name in (("extractor", "raw-mel"), ("scorer", scorer), ("frontend", "log-mel"))
    }
    protocol = changes.pop("protocol", "dcase2023")
    asked = {"extractor": "raw-mel", "scorer": scorer, "dataset": dataset, "machines": None, "seed": seed}
    data = {"name": dataset, "layout": protocol, "protocol": protocol}
    counts = dict.fromkeys(machines, 4 * CLIPS)
    prints = changes.pop("fingerprints", {machine: f"{dataset}-{machine}" for machine in machines})
    content = {
        "run_id": folder.name,
        "status": changes.pop("status", "done"),
        "asked": {**asked, "profile": None, "params": {}, "system": changes.pop("system", None)},
        **parts,
        "augmentations": [],
        "dataset": {
            **data,
            "fingerprint": changes.pop("fingerprint", f"{dataset}-fingerprint"),
            "fingerprints": prints,
            "train_clips": counts,
            "test_clips": counts,
        },
        "environment": {
            "device": "cpu",
            "python": "3.11",
            "platform": "any",
            "packages": {},
            "git_commit": None,
            "git_dirty": None,
        },
        "results": evaluate(protocol, sections).model_dump(),
        "intervals": None,
        "thresholds": {},
        "training": [],
        "notes": [],
        "failures": [],
        "seconds": {},
        "finished_at": "2026-01-01T00:00:00+00:00",
    }
    write_record(folder, RunRecord.model_validate({**content, **changes}))
    return folder


@pytest.fixture(scope="module")
def five_systems(tmp_path_factory):
    """Three seeds each: the first two alike, the third worse, the others by chance."""
    out = tmp_path_factory.mktemp("written") / "runs"
    for (scorer, gap), seed in itertools.product(
        [("knn", 1.6), ("lof", 1.6), ("gmm", 0.9), ("random", 0.0), ("identity", 0.0)], range(3)
    ):
        write_run(out, scorer, gap, seed)
    return out


@pytest.fixture
def out(five_systems, tmp_path):
    return shutil.copytree(five_systems, tmp_path / "runs")


@pytest.fixture
def make_run(tmp_path):
    """``make_run("knn", 1.5, seed=1)`` writes to the same folder, unless ``out`` says else."""

    def make(scorer, gap, seed=0, *, out=tmp_path / "runs", **changes):
        return write_run(out, scorer, gap, seed, **changes)

    return make


def official(folder):
    return json.loads((folder / "run.json").read_text())["results"]["official_score"]


def mean_score(out, scorer):
    return np.mean([official(folder) for folder in out.glob(f"raw-mel-{scorer}-*")])


@pytest.mark.parametrize("name", ["raw-mel+knn", "raw-mel-knn", "raw-mel + knn", "Raw-Mel+KNN", "{out}/raw-mel+knn"])
def test_a_system_means_all_its_seeds(cli, out, name):
    words = ("compare", name.format(out=out), "raw-mel+gmm", "--out", out, *FEW)
    found = cli(*words, "--json").json
    gap = mean_score(out, "knn") - mean_score(out, "gmm")
    assert found["official_score"]["difference"] == pytest.approx(gap, abs=1e-12)
    assert found["datasets"]["pumps"]["a"]["seeds"] == [0, 1, 2]
    assert len(found["datasets"]["pumps"]["b"]["runs"]) == 3
    assert found["machines"].keys() == set(MACHINES)
    low, high = found["official_score"]["ci95"]
    assert 0 < low < gap < high
    assert found["official_score"]["probability_of_being_better"] > 0.97
    shown = cli(*words).out
    assert f"{100 * gap:+.2f}" in shown
    assert "3 seeds each: intervals are of the choice of test clips and of seeds" in shown


def test_one_run_against_a_system(cli, out):
    words = ("compare", "raw-mel-knn-pumps-s1", "raw-mel+knn", "--out", out, *FEW)
    found = cli(*words, "--json").json
    gap = official(out / "raw-mel-knn-pumps-s1-0") - mean_score(out, "knn")
    assert found["official_score"]["difference"] == pytest.approx(gap, abs=1e-12)
    assert (found["a"], found["datasets"]["pumps"]["a"]["seeds"]) == ("raw-mel-knn-pumps-s1", [1])
    shown = cli(*words).out
    assert "A has one seed, whose chance they do not hold" in shown


def test_a_systems_card_is_its_name(cli, make_run, out):
    for seed in range(2):
        make_run("mahalanobis-ml", 2.0, seed, system="shin2023-simclr-ml")
    found = cli("compare", "shin2023-simclr-ml", "raw-mel+knn", "--out", out, "--json", *FEW).json
    assert found["datasets"]["pumps"]["a"]["seeds"] == [0, 1]
    other = cli("compare", "raw-mel+mahalanobis-ml", "raw-mel+knn", "--out", out)
    assert (other.code, "no system" in other.err) == (2, True), "its parts alone are not its name"


def test_the_gate_holds_means_over_seeds(cli, make_run, out, tmp_path):
    for seed in range(3):
        make_run("knn", 0.9, seed, out=tmp_path / "changed")
    drop = 100 * (mean_score(out, "knn") - mean_score(tmp_path / "changed", "knn"))
    words = ("compare", f"{out}/raw-mel+knn", f"{tmp_path}/changed/raw-mel+knn", *FEW, "--max-drop")
    stopped = cli(*words, f"{drop - 0.01:.4f}")
    assert (stopped.code, "On pumps B is lower than A by more than" in stopped.out) == (1, True)
    assert cli(*words, f"{drop + 0.01:.4f}").code == 0
    assert cli(*words, f"{drop - 0.01:.4f}", "--json").json["dropped"] is True


@pytest.mark.parametrize("gap", ["failed", "unreadable", "nameless", "seed", "data set"])
def test_an_incomplete_system_does_not_pass_the_gate(cli, make_run, out, tmp_path, gap):
    """All that is there of B is as good as A; without the gate it is compared and told."""
    changed = tmp_path / "changed"
    for folder in sorted(out.glob("raw-mel-knn-*")):
        shutil.copytree(folder, changed / folder.name)
    last = changed / "raw-mel-knn-pumps-s2-0"
    words = ("compare", out / "raw-mel+knn", changed / "raw-mel+knn", *FEW)
    gate = (*words, "--max-drop", "1")
    assert cli(*gate).code == 0
    if gap == "failed":
        shutil.rmtree(last)
        make_run("knn", 1.6, 2, out=changed, status="failed", results=None, failures=[FAILURE])
        expected = "seed 2 on pumps failed (raw-mel-knn-pumps-s2-0): score of fan: a singular covariance"
    elif gap == "data set":
        make_run("knn", 1.6, out=out, dataset="belts")
        expected = "no run on belts, which A has"
    elif gap == "seed":
        shutil.rmtree(last)
        expected = "no run of seed 2 on pumps, which A has"
    else:
        name = last.name if gap == "unreadable" else "copy"
        shutil.move(last, changed / name)
        (changed / name / "run.json").write_text("{")
        expected = f"{name} cannot be read and may be of it"
    stopped = cli(*gate)
    assert stopped.code == 1
    assert f"B ({changed / 'raw-mel+knn'}) is incomplete" in stopped.err
    assert expected in stopped.err
    as_json = cli(*gate, "--json")
    assert (as_json.code, expected in as_json.json["incomplete"], as_json.json["dropped"]) == (1, True, False)
    assert cli(*words).code == 0
    back = cli("compare", changed / "raw-mel+knn", out / "raw-mel+knn", *FEW, "--max-drop", "1")
    assert back.code == 0, "more than there was is no gap"


def test_a_run_named_by_itself_lacks_nothing(cli, out):
    worse = ("compare", "raw-mel+knn", "raw-mel-lof-pumps-s1", "--out", out, *FEW, "--max-drop", "100", "--json")
    assert cli(*worse).json["incomplete"] == []


def test_several_data_sets_are_compared_each_by_itself(cli, make_run, out):
    for scorer, gap in (("knn", 0.5), ("gmm", 1.5)):
        make_run(scorer, gap, dataset="belts", machines=MACHINES[:2])
    make_run("lof", 1.0, dataset="cranes")
    words = ("compare", "raw-mel+knn", "raw-mel+gmm", "--out", out, *FEW)
    both = cli(*words, "--json", "--max-drop", "5")
    assert list(both.json["datasets"]) == ["belts", "pumps"]
    assert both.json["datasets"]["belts"]["dropped"] is False
    assert "official_score" not in both.json, "nothing is averaged across data sets"
    back = cli("compare", "raw-mel+gmm", "raw-mel+knn", "--out", out, *FEW, "--max-drop", "5", "--json")
    assert (back.code, back.json["datasets"]["belts"]["dropped"]) == (1, True), "a drop on one of them counts"
    one = cli(*words, "--dataset", "belts", "--json").json
    assert list(one["datasets"]) == ["belts"]
    many = cli("compare", "raw-mel+knn", "raw-mel+gmm", "raw-mel+lof", "--out", out, *FEW, "--json")
    assert list(many.json["datasets"]) == ["pumps"]
    assert "not compared on belts, cranes, where not all of them have runs" in many.err


SYSTEMS = ("raw-mel+knn", "raw-mel+lof", "raw-mel+gmm", "raw-mel+random", "raw-mel+identity")


def test_many_systems_share_ranks(cli, out):
    found = cli("compare", *SYSTEMS, "--out", out, "--json", *FEW).json["datasets"]["pumps"]
    ranks = {row["system"]: row["rank"] for row in found["systems"]}
    assert ranks["raw-mel + knn"] == ranks["raw-mel + lof"] == 1
    assert ranks["raw-mel + gmm"] == 3
    assert ranks["raw-mel + random"] == ranks["raw-mel + identity"] == 4
    scores = [row["score"] for row in found["systems"]]
    assert scores == sorted(scores, reverse=True)
    assert len(found["differences"]) == 10
    for pair in found["differences"]:
        apart = pair["ci95"][0] > 0 or pair["ci95"][1] < 0
        assert not apart or ranks[pair["a"]] < ranks[pair["b"]]
        scorers = [pair[side].removeprefix("raw-mel + ") for side in "ab"]
        gap = mean_score(out, scorers[0]) - mean_score(out, scorers[1])
        assert pair["difference"] == pytest.approx(gap, abs=1e-12)


def test_average_ranks_are_over_machine_types_of_all_data_sets(cli, make_run, out):
    for scorer in ("knn", "gmm", "random"):
        make_run(scorer, 0.7, dataset="belts", machines=MACHINES[:2])
    names = ("raw-mel+knn", "raw-mel+gmm", "raw-mel+random")
    found = cli("compare", *names, "--out", out, "--json", *FEW).json["average_ranks"]
    blocks = [("belts", name) for name in MACHINES[:2]] + [("pumps", name) for name in MACHINES]
    assert [tuple(block) for block in found["blocks"]] == blocks
    values = []
    for dataset, machine in blocks:
        row = []
        for scorer in ("knn", "gmm", "random"):
            records = [json.loads(path.read_text()) for path in out.glob(f"raw-mel-{scorer}-{dataset}-*/run.json")]
            row.append(np.mean([one["results"]["machines"][machine]["official_score"] for one in records]))
        values.append(row)
    expected = scipy.stats.rankdata(-np.array(values), axis=1).mean(axis=0)
    assert [found["ranks"][f"raw-mel + {scorer}"] for scorer in ("knn", "gmm", "random")] == pytest.approx(expected)
    assert found["friedman"] == pytest.approx(scipy.stats.friedmanchisquare(*np.transpose(values)).statistic)
    assert found["caution"] is None


def test_what_a_person_sees_of_many(cli, out):
    shown = cli("compare", *SYSTEMS, "--out", out, *FEW).out
    assert "3 seeds each" in shown
    assert "critical difference" in shown
    lines = shown.splitlines()
    start = lines.index("Average ranks over 5 machine types")
    marks = [line.index("●") for line in lines[start + 3 : start + 8]]
    assert marks == sorted(marks), "the best first, marks from left to right"
    few = cli("compare", *SYSTEMS[:3], "--out", out, "--alpha", "0.1", *FEW).out
    assert "alpha 0.1" in few


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_diagram_is_drawn_to_a_file(cli, out, tmp_path, ending, start):
    files = [tmp_path / f"{name}.{ending}" for name in ("one", "two")]
    for file in files:
        assert cli("compare", *SYSTEMS[:3], "--out", out, "--figure", file, *FEW).code == 0
    assert files[0].read_bytes().startswith(start)
    assert files[0].read_bytes() == files[1].read_bytes()


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
        (["raw-mel", "raw-mel+gmm"], "Several runs begin with 'raw-mel'"),
    ],
)
def test_mistakes(cli, out, tmp_path, words, message):
    outcome = cli("compare", *(word.format(tmp=tmp_path) for word in words), "--out", out, *FEW)
    assert (outcome.code, outcome.out) == (2, "")
    assert message.format(out=out) in outcome.err
    assert list(tmp_path.iterdir()) == [out], "nothing is left behind"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "dcase2022"}, "are not of the same protocol: dcase2023 and dcase2022"),
        (
            {"fingerprints": NEWER, "fingerprint": "otherwise"},
            "are not of the same data: pumps (pumps-fi) and pumps (otherwis) have other recordings of fan",
        ),
        ({"fingerprints": {}, "fingerprint": "otherwise"}, "same data: pumps (pumps-fi) and pumps (otherwis)"),
        ({"machines": MACHINES[:3]}, "only one of them has slider, valve of pumps"),
        ({"dataset": "belts"}, "are not of the same data: pumps and belts"),
    ],
)
def test_what_differs_in_kind_is_not_compared(cli, make_run, out, changes, message):
    make_run("svm", 1.0, **changes)
    for names in (["raw-mel+knn", "raw-mel+svm"], ["raw-mel+knn", "raw-mel+gmm", "raw-mel+svm"]):
        outcome = cli("compare", *names, "--out", out, *FEW)
        assert (outcome.code, outcome.out) == (2, "")
        assert message in outcome.err
        assert "raw-mel+knn" in outcome.err
        assert "raw-mel+svm" in outcome.err


def test_an_older_record_without_digests_by_machine_is_compared_by_the_whole(cli, make_run, out):
    make_run("svm", 1.0, fingerprints={})
    assert cli("compare", "raw-mel+knn", "raw-mel+svm", "--out", out, *FEW).code == 0


def test_a_name_that_means_two_systems_lists_their_runs(cli, make_run, out):
    make_run("knn", 1.0, 0, scorer_params={"n_neighbors": 3}, mark="b")
    outcome = cli("compare", "raw-mel+knn", "raw-mel+gmm", "--out", out, *FEW)
    assert outcome.code == 2
    assert "raw-mel+knn on pumps means 2 systems" in outcome.err
    assert "raw-mel-knn-pumps-s0-b" in outcome.err
    assert "raw-mel-knn-pumps-s0-0, raw-mel-knn-pumps-s1-0, raw-mel-knn-pumps-s2-0" in outcome.err
    make_run("svm", 1.0, 0)
    make_run("svm", 1.0, 0, mark="b")
    doubled = cli("compare", "raw-mel+svm", "raw-mel+gmm", "--out", out, *FEW)
    assert (doubled.code, "has seed 0 twice" in doubled.err) == (2, True)


FAILURE = {"stage": "score", "machine": "fan", "reason": "a singular covariance"}


def test_failed_runs_are_left_out_of_a_system_and_refused_alone(cli, make_run, out):
    folder = make_run("knn", 1.0, 7, status="failed", results=None, failures=[FAILURE])
    outcome = cli("compare", "raw-mel+knn", "raw-mel+gmm", "--out", out, "--json", *FEW)
    assert (outcome.code, outcome.json["datasets"]["pumps"]["a"]["seeds"]) == (0, [0, 1, 2])
    assert f"{folder.name} failed and is left out: score of fan: a singular covariance" in outcome.err
    alone = cli("compare", folder.name, "raw-mel+gmm", "--out", out)
    assert (alone.code, "failed, so it has no score: score of fan" in alone.err) == (1, True)


def test_sections_of_a_failed_run_are_those_that_were_scored(make_run):
    from asdbench.core.errors import RequirementError
    from asdbench.harness.record import load_record
    from asdbench.harness.store import sections_of

    folder = make_run("knn", 1.0, status="failed", results=None, failures=[FAILURE])
    (folder / "scores" / "anomaly_score_fan_section_00_test.csv").unlink()
    found = sections_of(folder, load_record(folder))
    assert {machine for machine, _ in found} == set(MACHINES) - {"fan"}
    shutil.rmtree(folder / "scores")
    with pytest.raises(RequirementError, match="no folder scores"):
        sections_of(folder, load_record(folder))


def test_damaged_runs_are_named(cli, make_run, out):
    folder = make_run("svm", 1.0)
    scores = folder / "scores" / "anomaly_score_fan_section_00_test.csv"
    whole = scores.read_text()
    scores.write_text("".join(whole.splitlines(keepends=True)[1:]))
    cut = cli("compare", "raw-mel+svm", "raw-mel+gmm", "--out", out)
    assert (cut.code, "have 39 of the 40 test clips of fan" in cut.err) == (3, True)
    scores.unlink()
    gone = cli("compare", "raw-mel+svm", "raw-mel+gmm", "--out", out)
    assert (gone.code, "have 0 of the 40 test clips of fan" in gone.err) == (3, True)
    scores.write_text(whole.replace("section_00_source_test_normal_0000", "another_clip_0000"))
    assert cli("compare", "raw-mel+svm", "raw-mel+gmm", "--out", out).code == 3
    (folder / "run.json").write_text('{"schema_version": 4')
    record = cli("compare", folder.name, "raw-mel+gmm", "--out", out)
    assert (record.code, "run.json is damaged" in record.err) == (1, True)
    others = cli("compare", "raw-mel+knn", "raw-mel+gmm", "--out", out, *FEW)
    assert (others.code, others.err) == (0, "")


def test_a_damaged_record_is_told_once_and_of_those_that_it_may_be_of(cli, out):
    for name in ("raw-mel-lof-pumps-s0-0", "raw-mel-knn-pumps-s0-0"):
        (out / name / "run.json").write_text("{")
    outcome = cli("compare", "raw-mel+knn", "raw-mel+gmm", "--out", out, *FEW)
    assert outcome.err.count("is damaged") == 1
    assert "raw-mel-lof" not in outcome.err
    assert outcome.err.splitlines()[-1].endswith("It may be one of raw-mel+knn.")
    (out / "raw-mel-lof-pumps-s0-0").rename(out / "a-copy")
    outcome = cli("compare", "raw-mel+knn", "raw-mel+gmm", "--out", out, *FEW)
    assert outcome.err.count("a-copy/run.json is damaged") == 1
    assert "It may be one of raw-mel+knn or raw-mel+gmm." in outcome.err


def test_runs_without_labels_want_the_ground_truth(cli, make_run, out, tmp_path):
    truth = tmp_path / "truth"
    for folder in ("ground_truth_data", "ground_truth_domain"):
        (truth / folder).mkdir(parents=True)
    for scorer in ("one", "other"):
        folder = make_run(scorer, 1.0, dataset="unnamed", results=None)
        for file in (folder / "scores").iterdir():
            plain = [line.rpartition(",")[2] for line in file.read_text().splitlines()]
            file.write_text("".join(f"section_00_{place:04d}.wav,{score}\n" for place, score in enumerate(plain)))
    for machine in MACHINES:
        end = f"{machine}_section_00_test.csv"
        labels, domains = ("", "")
        for place, (_, domain, label) in enumerate(clips()):
            labels += f"section_00_{place:04d}.wav,{label}\n"
            domains += f"section_00_{place:04d}.wav,{int(domain == 'target')}\n"
        (truth / "ground_truth_data" / f"ground_truth_{end}").write_text(labels)
        (truth / "ground_truth_domain" / f"ground_truth_{end}").write_text(domains)
    words = ("compare", "raw-mel+one", "raw-mel+other", "--out", out, *FEW)
    without = cli(*words)
    assert (without.code, "--ground-truth DIR" in without.err) == (3, True)
    assert set(cli(*words, "--ground-truth", truth, "--json").json["machines"]) == set(MACHINES)


def with_digests(folder):
    """The record of a run with the digests of its score files, as ``run`` writes it."""
    record = load_record(folder)
    digests = {
        f"scores/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "scores").iterdir()
    }
    write_record(folder, record.model_copy(update={"digests": digests}))


def edit(path):
    lines = path.read_text().splitlines()
    name, value = lines[0].split(",")
    path.write_text("\n".join([f"{name},{float(value) + 100}", *lines[1:]]) + "\n")


FAULTS = {
    "an edited score": edit,
    "a row gone": lambda path: path.write_text("\n".join(path.read_text().splitlines()[1:])),
    "a file gone": Path.unlink,
}


@pytest.mark.parametrize("old", [True, False], ids=["old record", "record with digests"])
@pytest.mark.parametrize("fault", FAULTS)
def test_score_files_that_are_not_those_of_the_run_are_noticed_by_every_command(cli, make_run, tmp_path, fault, old):
    folder, other = make_run("gmm", 1.0), make_run("knn", 0.5)
    if not old:
        with_digests(folder)
    words = ("evaluate", folder, "--ci", "none", "--json")
    assert cli(*words).json["official_score"] == official(folder)
    file = min((folder / "scores").iterdir())
    FAULTS[fault](file)
    for place in (folder, folder / "scores", folder.name):
        outcome = cli("evaluate", place, "--out", folder.parent, "--ci", "none", "--json")
        assert (outcome.code, outcome.json["official_score"]) == (1, None)
        assert any(MACHINES[0] in problem["text"] + str(problem["file"]) for problem in outcome.json["problems"])
    for command in (("compare", folder, other), ("leaderboard", "add", folder, "--board-dir", tmp_path / "board")):
        assert cli(*command).code != 0
    with pytest.raises(RequirementError):
        write_submission(folder, require_label("Sato_NTU_task2_1"), tmp_path / "team")
    read = read_contents(folder)
    assert read.problems or read.missing


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "1e400", "1_0", "-1", "101", "\u0663"])
def test_a_limit_that_is_no_number_in_its_range_is_refused(cli, out, value):
    outcome = cli("compare", "raw-mel+gmm", "raw-mel+random", "--out", out, "--max-drop", value)
    assert outcome.code == 2
    assert "--max-drop" in outcome.err
