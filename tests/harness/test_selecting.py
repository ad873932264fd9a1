"""Choosing among runs without labels."""

import csv
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import hmean

import asdbench
from asdbench.core.progress import Silent
from asdbench.harness import RunSpec, execute, make_plan
from asdbench.harness.selecting import choose
from asdbench.selection import domain_balance, vetoed

SCORERS = ["mahalanobis-lw", "knn", "random"]


@pytest.fixture(scope="module")
def many_clips(tmp_path_factory):
    """Two machine types, 1 s clips, 30 + 10 for training and 16 for testing each."""
    folder = tmp_path_factory.mktemp("selecting") / "many"
    sizes = {"clip_s": 1.0, "train_source": 30, "train_target": 10, "test": 16}
    asdbench.build("synthetic", machines=["fan", "valve"], **sizes).make(folder, 2, Silent())
    return folder


def chosen(dataset, out, extractor=("raw-mel",), scorer=SCORERS, **more):
    """The choice among runs, and their records by id."""
    spec = RunSpec(extractor=list(extractor), scorer=list(scorer), dataset=str(dataset), out=out, **more)
    plan = make_plan(spec, Silent())
    records = {record.run_id: record for record in execute(plan, Silent())}
    [choice] = choose(plan, records, Silent())
    return choice, records


@pytest.fixture(scope="module")
def first(many_clips, session_cache, tmp_path_factory):
    """The choice among three scorers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASDBENCH_CACHE", str(session_cache))
        return chosen(many_clips, tmp_path_factory.mktemp("runs"))


def test_what_is_said_of_a_choice_is_what_the_records_say(first):
    choice, records = first
    means = {run: fmean(ratings.values()) for run, ratings in choice.ratings.items()}
    assert choice.chosen == max(means, key=means.get)
    scores = {run: record.results.official_score for run, record in records.items()}
    assert choice.score == scores[choice.chosen]
    assert choice.oracle_score == max(scores.values()) == scores[choice.oracle]
    assert choice.mean_score == pytest.approx(fmean(scores.values()))
    terms = []
    for machine, run in choice.of_machine.items():
        assert choice.ratings[run][machine] == max(ratings[machine] for ratings in choice.ratings.values())
        result = records[run].results.machines[machine]
        terms += [result.auc_source, result.auc_target, result.pauc]
    assert choice.mixed_score == pytest.approx(hmean(terms))


def by_scorer(choice, records):
    return {records[run].scorer.name: ratings for run, ratings in choice.ratings.items()}


def test_a_scorer_by_chance_has_the_rating_of_chance_and_a_real_one_more(first):
    ratings = {scorer: fmean(of_machine.values()) for scorer, of_machine in by_scorer(*first).items()}
    assert 0.4 < ratings["random"] < 0.6
    assert ratings["mahalanobis-lw"] > ratings["random"] + 0.05


def test_balance_of_the_domains_is_one_less_the_distance_of_their_scores(many_clips, tmp_path):
    choice, records = chosen(many_clips, tmp_path, select="domain-balance")
    [run] = asdbench.run(str(many_clips), extractor="raw-mel", scorer="knn", out=tmp_path)
    clips = asdbench.load(many_clips).training("fan")
    known, rows = run._replay().embeddings("fan")
    rows = rows[[[one.key for one in known].index(clip.key) for clip in clips]]
    distance = domain_balance(rows, clips, lambda *seen: asdbench.build("knn").fit(*seen))
    [knn] = (ratings for name, ratings in choice.ratings.items() if records[name].scorer.name == "knn")
    assert knn["fan"] == pytest.approx(1 - distance)


def test_no_label_is_looked_at(first, many_clips, tmp_path):
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
    before, after = first, chosen(swapped, tmp_path / "runs")
    assert by_scorer(*before) == by_scorer(*after)
    assert before[1][before[0].chosen].scorer.name == after[1][after[0].chosen].scorer.name
    assert before[0].score != after[0].score


def test_an_ensemble_is_chosen_by_members_that_have_not_seen_the_clips(first, many_clips, tmp_path):
    """The smaller of a score by chance and one far above it is chance's, so both have the same rating."""
    ensemble = "raw-mel:mahalanobis-lw,raw-mel:random"

    def rating(**params):
        choice, _ = chosen(many_clips, tmp_path, [ensemble], ["ensemble"], machine=["fan"], params=params)
        assert not choice.left_out
        [of_machine] = choice.ratings.values()
        return of_machine["fan"]

    least = {"ensemble.normalise": "none", "ensemble.combine": "minimum"}
    smaller = rating(**least)
    assert smaller == pytest.approx(by_scorer(*first)["random"]["fan"], abs=1e-3)
    assert rating() > smaller + 0.05


def test_runs_without_a_rating_are_left_out_and_what_was_chosen_is_shown(cli, many_clips, tmp_path):
    names = [str(path.relative_to(many_clips)) for path in many_clips.rglob("*.wav")]
    rows = np.random.default_rng(0).normal(size=(len(names), 3))
    np.savez(tmp_path / "rows.npz", **dict(zip(names, rows, strict=True)))
    words = ("--extractor", "precomputed", "-p", f"embedding-file.file={tmp_path / 'rows.npz'}", "--machine", "fan")
    words += ("--extractor", "raw-mel", "--scorer", "knn", "--scorer", "random", "--dataset", many_clips)
    words += ("--select", "normal-only", "--out", tmp_path)
    ran = cli("run", *words, "--json")
    [choice] = ran.json["choices"]
    elsewhere = {run["run_id"] for run in ran.json["runs"] if run["extractor"] == "precomputed"}
    assert set(choice["left_out"]) == elsewhere
    assert not set(choice["ratings"]) & elsewhere
    assert np.isfinite(list(choice["ratings"][choice["chosen"]].values())).all()
    shown = cli("run", *words)
    assert shown.code == 0
    for text in ("Chosen by training clips alone", "not rated: precomputed"):
        assert text in shown.out


@pytest.fixture(scope="module")
def development(tmp_path_factory):
    """Other recordings of the same kind, with labels."""
    folder = tmp_path_factory.mktemp("selecting") / "development"
    sizes = {"clip_s": 1.0, "train_source": 20, "train_target": 5, "test": 16, "seed": 5}
    asdbench.build("synthetic", machines=["fan"], **sizes).make(folder, 2, Silent())
    return folder


def test_a_veto_leaves_out_what_scores_badly_on_the_development_set_alone(cli, many_clips, development, tmp_path):
    words = [word for scorer in SCORERS for word in ("--scorer", scorer)]
    words += ["--extractor", "raw-mel", "--dataset", development, "--dataset", many_clips, "--out", tmp_path]
    words += ["--select", "domain-balance"]
    free = cli("run", *words, "--json").json
    assert [(choice["dataset"], choice["development"], choice["left_out"]) for choice in free["choices"]] == [
        ("development", None, {}), ("many", None, {}),
    ]  # fmt: skip
    scores = {run["scorer"]: run["official_score"] for run in free["runs"] if run["dataset"] == "development"}
    middle = sorted(scores.values())[1]
    points = 100 * (max(scores.values()) - middle) + 0.01  # the worst is left out, the second best is not
    [choice] = cli("run", *words, "--veto", f"{development}={points:.4f}", "--json").json["choices"]
    assert (choice["dataset"], choice["development"]) == ("many", "development")
    scorer_of = {run["run_id"]: run["scorer"] for run in free["runs"]}
    [(run, reason)] = choice["left_out"].items()
    assert scorer_of[run] == min(scores, key=scores.get)
    assert reason.startswith(f"veto by labels of development: {100 * min(scores.values()):.2f}, ")
    ratings = {run: fmean(of_machine.values()) for run, of_machine in free["choices"][1]["ratings"].items()}
    del ratings[run]
    assert choice["chosen"] == max(ratings, key=ratings.get), "the choice is that of the others' training clips"
    shown = cli("run", *words, "--veto", f"{development}={points:.4f}")
    assert "LABELS of development had a part in this choice" in shown.out
    assert "Chosen by training clips, among what development did not veto" in shown.out


def test_a_data_set_that_is_named_as_development_itself_may_veto_its_own_runs(cli, development, tmp_path):
    words = ("--extractor", "raw-mel", "--scorer", "knn", "--scorer", "random", "--dataset", development)
    ran = cli("run", *words, "--select", "domain-balance", "--veto", f"{development}=0", "--out", tmp_path, "--json")
    [choice] = ran.json["choices"]
    scores = {run["run_id"]: run["official_score"] for run in ran.json["runs"]}
    assert choice["chosen"] == max(scores, key=scores.get)


def test_the_veto_and_the_criterion_pick_what_their_author_reports(shared_data):
    """The picks of daco-experiments, results/e45_guarded_selection.csv: criterion and veto on the development sets."""
    picks = {
        "beats-2025": {2: "conf-hard-m0-k1", 3: "conf-soft-m0-ldnK1", 8: "conf-soft-m0-ldnK1"},
        "eat-2025": {2: "conf-hard-m0-k1", 3: "conf-soft-m0-k1", 8: "conf-soft-m0-ldnK1"},
        "panns-2025": {2: "conf-soft-m0-ldnK1", 8: "conf-soft-m0-ldnK1"},
    }
    for grid, by_points in picks.items():
        with (shared_data / "published" / "backend-grids" / f"{grid}.csv").open() as file:
            rows = {row["config"]: row for row in csv.DictReader(file)}
        scores = {name: float(row["dev_omega"]) / 100 for name, row in rows.items()}
        for points, pick in by_points.items():
            viable = set(rows) - set(vetoed(scores, points))
            assert min(viable, key=lambda name: float(rows[name]["crit_dev"])) == pick


@pytest.mark.parametrize(
    ("veto", "words", "text"),
    [
        ("{}=3", (), "--veto goes with --select"),
        ("elsewhere=3", ("--select", "domain-balance"), "expected DATASET=POINTS with one of this command's data sets"),
        ("{}", ("--select", "domain-balance"), "expected DATASET=POINTS"),
        ("{}=-1", ("--select", "domain-balance"), "expected DATASET=POINTS"),
        ("{}=nan", ("--select", "domain-balance"), "expected DATASET=POINTS"),
    ],
)
def test_a_veto_that_cannot_be(cli, development, tmp_path, veto, words, text):
    words = (*words, "--extractor", "raw-mel", "--scorer", "knn", "--dataset", development, "--out", tmp_path)
    ran = cli("run", *words, "--veto", veto.format(development))
    assert ran.code == 2
    assert text in ran.err


def test_a_development_set_without_labels_cannot_veto(cli, make_folder, dcase2023_names, tmp_path):
    names = dcase2023_names()
    folder = make_folder({"fan": {**names, "test": [f"section_00_{number:04d}.wav" for number in range(4)]}})
    words = ("--extractor", "raw-mel", "--scorer", "knn", "--dataset", folder, "--out", tmp_path / "runs")
    ran = cli("run", *words, "--select", "domain-balance", "--veto", f"{folder}=3")
    assert ran.code == 2
    assert "carry no labels to veto by" in ran.err


@pytest.mark.parametrize(
    ("select", "code", "text"), [("normal-only", 1, "takes at least 10"), ("oracle", 2, "normal-only")]
)
def test_what_cannot_be_chosen_by(cli, make_folder, dcase2023_names, tmp_path, select, code, text):
    words = ("--dataset", make_folder({"fan": dcase2023_names(train=4)}), "--out", tmp_path / "runs")
    ran = cli("run", "--extractor", "raw-mel", "--scorer", "random", "--select", select, *words)
    assert ran.code == code
    assert text in ran.err
