"""What the names that ``asdbench compare`` takes mean, and what is refused: other data, failed runs, damaged ones."""

import shutil

import pytest
from made_runs import MACHINES, made_run

from asdbench.core.errors import RequirementError
from asdbench.harness.record import load_record, write_record
from asdbench.harness.store import sections_of
from asdbench.leaderboard.run_groups import find_run_group

FEW = ("--replicates", "100")


@pytest.fixture(scope="module")
def two_systems(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "runs"
    for scorer, seeds in (("knn", 2), ("gmm", 1)):
        for seed in range(seeds):
            made_run(out, "raw-mel", scorer, seed, dataset="pumps")
    return out


@pytest.fixture
def out(two_systems, tmp_path):
    return shutil.copytree(two_systems, tmp_path / "runs")


@pytest.fixture
def make_run(out):
    return lambda scorer="svm", seed=0, **options: made_run(
        out, "raw-mel", scorer, seed, **{"dataset": "pumps", **options}
    )


@pytest.fixture
def compare(cli, out):
    return lambda *names: cli("compare", *names, "--out", out, *FEW)


def change(folder, **updates):
    """Change the data set of a run's record."""
    record = load_record(folder)
    write_record(folder, record.model_copy(update={"dataset": record.dataset.model_copy(update=updates)}))


@pytest.mark.parametrize("name", ["raw-mel+knn", "raw-mel-knn", "raw-mel + knn", "Raw-Mel+KNN", "{out}/raw-mel+knn"])
def test_the_names_of_a_system(two_systems, name):
    group = find_run_group(name.format(out=two_systems), two_systems)
    assert [run.record.asked.seed for run in group.runs["pumps"]] == [0, 1]


def test_a_systems_card_is_its_name(cli, make_run, compare, out):
    for seed in range(2):
        make_run("mahalanobis-ml", seed, system="shin2023-simclr-ml")
    found = cli("compare", "shin2023-simclr-ml", "raw-mel+knn", "--out", out, "--json", *FEW).json
    assert found["datasets"]["pumps"]["a"]["seeds"] == [0, 1]
    other = compare("raw-mel+mahalanobis-ml", "raw-mel+knn")
    assert (other.code, "no system" in other.err) == (2, True), "its components alone are not its name"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "dcase2022"}, "are not of the same protocol: dcase2023 and dcase2022"),
        ({"fingerprint": "otherwise", "fingerprints": {"fan": "new"}}, "and pumps (otherwis) have other recordings of"),
        ({"fingerprint": "otherwise", "fingerprints": {}}, "and pumps (otherwis)"),
        ({"test_clips": {"fan": 40}}, "only one of them has gearbox, valve of pumps"),
        ({"name": "belts"}, "are not of the same data: pumps and belts"),
    ],
)
def test_what_differs_in_kind_is_not_compared(make_run, compare, changes, message):
    change(make_run(), **changes)
    for names in (["raw-mel+knn", "raw-mel+svm"], ["raw-mel+knn", "raw-mel+gmm", "raw-mel+svm"]):
        outcome = compare(*names)
        assert (outcome.code, outcome.out) == (2, "")
        assert message in outcome.err
        assert "raw-mel+svm" in outcome.err


def test_an_older_record_without_digests_by_machine_is_compared_by_the_whole(make_run, compare):
    make_run(fingerprints=False)
    assert compare("raw-mel+knn", "raw-mel+svm").code == 0


def test_a_name_that_means_two_systems_lists_their_runs(make_run, compare, out):
    first, second = sorted(path.name for path in out.glob("raw-mel-knn-*"))
    other = make_run("knn", params={"n_neighbors": 3})
    outcome = compare("raw-mel+knn", "raw-mel+gmm")
    assert outcome.code == 2
    assert "raw-mel+knn on pumps means 2 systems" in outcome.err
    assert f"\n  n_neighbors=3: {other.name}\n" in outcome.err
    assert other.name in outcome.err
    assert f"{first}, {second}" in outcome.err
    make_run()
    make_run(device="cuda")
    doubled = compare("raw-mel+svm", "raw-mel+gmm")
    assert (doubled.code, "has seed 0 twice" in doubled.err) == (2, True)


def test_failed_runs_are_left_out_of_a_system_and_refused_alone(cli, make_run, compare, out):
    folder = make_run("knn", 7, failed=["fan"])
    outcome = cli("compare", "raw-mel+knn", "raw-mel+gmm", "--out", out, "--json", *FEW)
    assert (outcome.code, outcome.json["datasets"]["pumps"]["a"]["seeds"]) == (0, [0, 1])
    assert f"{folder.name} failed and is left out: score of fan: covariance is singular" in outcome.err
    alone = compare(folder.name, "raw-mel+gmm")
    assert (alone.code, "failed, so it has no score: score of fan" in alone.err) == (1, True)
    assert {machine for machine, _ in sections_of(folder, load_record(folder))} == set(MACHINES) - {"fan"}
    shutil.rmtree(folder / "scores")
    with pytest.raises(RequirementError, match="no folder scores"):
        sections_of(folder, load_record(folder))


def test_damaged_runs_are_named(make_run, compare):
    folder = make_run()
    scores = folder / "scores" / "anomaly_score_fan_section_00_test.csv"
    whole = scores.read_text()
    scores.write_text("".join(whole.splitlines(keepends=True)[1:]))
    cut = compare("raw-mel+svm", "raw-mel+gmm")
    assert (cut.code, "have 39 of the 40 test clips of fan" in cut.err) == (3, True)
    scores.unlink()
    gone = compare("raw-mel+svm", "raw-mel+gmm")
    assert (gone.code, "have 0 of the 40 test clips of fan" in gone.err) == (3, True)
    scores.write_text(whole.replace("section_00_source_test_normal_0000", "another_clip_0000"))
    assert compare("raw-mel+svm", "raw-mel+gmm").code == 3
    (folder / "run.json").write_text('{"schema_version": 4')
    record = compare(folder.name, "raw-mel+gmm")
    assert (record.code, "run.json is damaged" in record.err) == (1, True)
    others = compare("raw-mel+knn", "raw-mel+gmm")
    assert (others.code, "warning" in others.err, folder.name in others.err) == (0, False, False)


def test_a_damaged_record_is_named_once_and_of_those_that_it_may_be_of(make_run, compare, out):
    lof = make_run("lof")
    for folder in (lof, next(out.glob("raw-mel-knn-pumps-s0-*"))):
        (folder / "run.json").write_text("{")
    outcome = compare("raw-mel+knn", "raw-mel+gmm")
    assert outcome.err.count("is damaged") == 1
    assert "raw-mel-lof" not in outcome.err
    assert outcome.err.splitlines()[-1].endswith("It may be one of raw-mel+knn.")
    lof.rename(out / "a-copy")
    outcome = compare("raw-mel+knn", "raw-mel+gmm")
    assert outcome.err.count("a-copy/run.json is damaged") == 1
    assert "It may be one of raw-mel+knn or raw-mel+gmm." in outcome.err


def test_runs_without_labels_want_the_ground_truth(cli, make_run, out, tmp_path):
    truth = tmp_path / "truth"
    for folder in ("ground_truth_data", "ground_truth_domain"):
        (truth / folder).mkdir(parents=True)
    for scorer in ("one", "other"):
        folder = make_run(scorer, dataset="unnamed", machines=("fan",))
        record = load_record(folder)
        write_record(folder, record.model_copy(update={"results": None}))
        for file in (folder / "scores").iterdir():
            names, values = zip(*(line.split(",") for line in file.read_text().splitlines()), strict=True)
            places = [f"section_00_{place:04d}.wav" for place in range(len(names))]
            file.write_text("".join(f"{place},{value}\n" for place, value in zip(places, values, strict=True)))
    for folder, word in (("data", "anomaly"), ("domain", "target")):
        lines = [f"{place},{int(word in name)}\n" for place, name in zip(places, names, strict=True)]
        (truth / f"ground_truth_{folder}" / "ground_truth_fan_section_00_test.csv").write_text("".join(lines))
    words = ("compare", "raw-mel+one", "raw-mel+other", "--out", out, *FEW)
    without = cli(*words)
    assert (without.code, "--ground-truth DIR" in without.err) == (3, True)
    assert set(cli(*words, "--ground-truth", truth, "--json").json["machines"]) == {"fan"}
