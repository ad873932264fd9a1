"""A published system run again, and its published numbers beside what came out."""

import csv

import official_score
import pytest
from sklearn.metrics import roc_auc_score

import asdbench as asd

LABELS = [("source", "normal"), ("source", "anomaly"), ("target", "normal"), ("target", "anomaly")]
CARD = """
summary = "Knn."
extractor = "raw-mel"
scorer = "knn"
[params.knn]
n_neighbors = 1
"""
CHALLENGE = """
summary = "Small."
description = "Small."
year = 2023
protocol = "dcase2023"
layout = "dcase2023"
licence = "none"
sample_rate_hz = 16000
channels = 1
[splits.dev]
sections = ["00"]
labelled = true
zips = ["https://example.org/files/dev_{machine}.zip"]
counts = { train = { source = 16, target = 4 }, test = { source_normal = 4, source_anomaly = 4, target_normal = 4, target_anomaly = 4 } }
clip_s = [1.0, 1.0]
machines = { fan = {}, valve = {} }
[splits.eval]
sections = ["00"]
labelled = false
zips = ["https://example.org/files/eval_{machine}.zip"]
counts = { train = { source = 16, target = 4 }, test = { clips = 16 } }
clip_s = [1.0, 1.0]
machines = { fan = {}, valve = {} }
"""  # noqa: E501


@pytest.fixture(scope="module")
def data_root(small_dataset, tmp_path_factory):
    """The small data set as a challenge's: dev with labels in the names, eval without, and a ground truth."""
    root = tmp_path_factory.mktemp("challenges")
    dev, evaluation = (root / "small2023" / f"{split}_data" / "raw" for split in ("dev", "eval"))
    dev.parent.mkdir(parents=True)
    dev.symlink_to(small_dataset)
    for machine in ("fan", "valve"):
        (evaluation / machine / "test").mkdir(parents=True)
        (evaluation / machine / "train").symlink_to(small_dataset / machine / "train")
        labels, domains = [], []
        for number, path in enumerate(sorted((small_dataset / machine / "test").iterdir())):
            name = f"section_00_{number:04d}.wav"
            (evaluation / machine / "test" / name).symlink_to(path)
            labels.append(f"{name},{int('anomaly' in path.name)}\n")
            domains.append(f"{name},{int('target' in path.name)}\n")
        for kind, lines in (("data", labels), ("domain", domains)):
            folder = root / "truth" / f"ground_truth_{kind}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"ground_truth_{machine}_section_00_test.csv").write_text("".join(lines))
    return root


@pytest.fixture
def plugin(tmp_path):
    """Makes a plugin folder with the challenge and a system that published what is given."""

    def make(published):
        registry = tmp_path / "mine" / "registry"
        for kind, name, text in (("systems", "ours", CARD + published), ("datasets", "small2023", CHALLENGE)):
            (registry / kind).mkdir(parents=True, exist_ok=True)
            (registry / kind / f"{name}.toml").write_text(text)
        return registry.parent

    return make


@pytest.fixture
def reproduce(cli, plugin, data_root, tmp_path):
    def call(published, *words, system="ours"):
        return cli(
            "reproduce", system, "--dataset", "small2023", "--data-root", data_root, "--out", tmp_path / "runs",
            "--plugin-path", plugin(published), "--quiet", *words,
        )  # fmt: skip

    return call


@pytest.fixture(scope="module")
def truth(small_dataset, tmp_path_factory):
    """The official score and AUC by an independent computation, from the score files of a run by hand."""
    out = tmp_path_factory.mktemp("by-hand")
    (one,) = asd.run(str(small_dataset), "raw-mel", "knn", params={"knn.n_neighbors": 1}, out=out)
    rows = list(csv.reader((one.folder / "scores" / "anomaly_score_fan_section_00_test.csv").open()))
    source = [row for row in rows if "source_test_normal" in row[0] or "anomaly" in row[0]]
    auc = roc_auc_score(["anomaly" in name for name, _ in source], [float(score) for _, score in source])
    return official_score.official_score_of_files(one.folder / "scores"), float(auc)


def published(percent, split="dev", more=""):
    return f'[[published]]\ndataset = "small2023"\nsplit = "{split}"\npercent = {percent}\nsource = "Us"\n{more}\n'


def machines(auc):
    return f"[published.machines]\nfan = {{ auc_source = {auc} }}\n"


def test_numbers_that_come_out_are_reproduced(reproduce, truth):
    score, auc = truth
    done = reproduce(published(100 * score + 0.9, more=machines(100 * auc - 0.9)))
    assert done.code == 0
    assert "2 of 2 numbers within tolerance" in done.out
    again = reproduce(published(100 * score + 0.9, more=machines(100 * auc)), "--json")
    total, term = again.json["numbers"]
    assert (total["metric"], total["machine"], term["metric"], term["machine"]) == (
        "official score", None, "auc_source", "fan",
    )  # fmt: skip
    assert total["measured"] == pytest.approx(score, abs=1e-9)
    assert total["difference"] == pytest.approx(-0.009, abs=1e-9)
    assert term["measured"] == pytest.approx(auc, abs=1e-9)
    assert total["interval"][0] < score < total["interval"][1]
    assert (again.json["reproduced"], again.json["trained"]) == (True, False)


@pytest.mark.parametrize(
    ("off", "more", "words", "code"),
    [
        (1.1, "", (), 1),
        (1.1, "tolerance = 1.2", (), 0),
        (0.9, "tolerance = 0.5", (), 1),
        (0.9, "tolerance = 0.5", ("--tolerance", 1), 0),
        (0.0, "", ("-p", "knn.n_neighbors=15"), 1),
    ],
)
def test_the_exit_code_says_whether_all_are_within_the_tolerance(reproduce, truth, off, more, words, code):
    assert reproduce(published(100 * truth[0] + off, more=more), *words).code == code


def test_an_evaluation_set_takes_the_ground_truth(reproduce, data_root, truth):
    text = published(100 * truth[0], "eval", machines(100 * truth[1]))
    without = reproduce(text)
    assert without.code == 3
    assert "Give the official evaluator's ground truth: --ground-truth DIR" in without.err
    done = reproduce(text, "--ground-truth", data_root / "truth", "--json")
    assert done.code == 0, done.err
    assert done.json["split"] == "eval", "there are numbers of no other"
    assert [one["difference"] for one in done.json["numbers"]] == pytest.approx([0, 0], abs=1e-9)


def test_what_cannot_be_compared_is_told(reproduce, truth):
    words = 'metric = "AUC as nobody computes it"\n'
    text = published(50, more=words) + published(100 * truth[0])
    done = reproduce(text)
    assert done.code == 0
    assert "not compared: AUC as nobody computes it 50.00: it is not the official score" in done.out
    part = reproduce(published(1, more=machines(100 * truth[1])), "--machine", "fan")
    assert part.code == 0
    assert "not compared: official score 1.00: the data are partial: left out: valve" in part.out
    assert "1 of 1 numbers within tolerance" in part.out


@pytest.mark.parametrize(
    ("text", "words", "code", "told"),
    [
        ("", (), 2, "There are numbers for: no data set"),
        (published(50).replace("small2023", "dcase2024"), (), 2, "for: --dataset dcase2024 --split dev"),
        (published(50, more='metric = "mean AUC"'), (), 2, "that can be compared; it has mean AUC (Us)"),
        (published(50), ("--split", "eval"), 2, "There are numbers for: --dataset small2023 --split dev"),
        (published(50), ("--machine", "fan"), 2, "has no number of fan on small2023 dev"),
        (published(50), ("--data-root", "nowhere"), 3, "Get it: asdbench data download small2023"),
        (published(50), ("-p", "knn.k=1"), 2, "'knn' has no parameter 'k'"),
        (published(50), ("--tolerance", "nan"), 2, "--tolerance"),
        (published(50, more=machines(50).replace("auc_source", "accuracy")), (), 2, "'ours' cannot be used"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_with_the_next_step(reproduce, text, words, code, told):
    done = reproduce(text, *words)
    assert done.code == code
    assert told in done.err


def test_a_run_that_fails_reproduces_nothing(reproduce, monkeypatch):
    monkeypatch.setattr("asdbench.scorers.neighbours.NearestNeighbours._learn", lambda *given: 1 / 0)
    done = reproduce(published(50, more=machines(50)), "-p", "knn.n_neighbors=2")
    assert done.code == 1
    assert "not compared: official score 50.00: the run failed: score of fan" in done.out
    assert "not compared: fan auc_source 50.00: the run failed: score of fan" in done.out


def test_several_seeds_of_the_library_give_the_mean(plugin, data_root, tmp_path, truth):
    found = asd.reproduce(
        asd.system("ours", plugin_path=[plugin(published(100 * truth[0]))]),
        "small2023", data_root=data_root, seeds=range(2), out=tmp_path / "runs", plugin_path=[tmp_path / "mine"],
    )  # fmt: skip
    (number,) = found.numbers
    assert len(found.runs) == 2
    assert number.interval == pytest.approx((number.measured, number.measured)), "nothing here is drawn"
    assert found.reproduced
    assert list(found.to_frame()["within"]) == [True]
