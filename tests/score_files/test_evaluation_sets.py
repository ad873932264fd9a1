"""Evaluation sets: made-up scores against the real ground truth, expected numbers by brute force."""

import csv
import re
from collections import defaultdict

import brute_force
import numpy as np
import pytest

NAME = re.compile(r"ground_truth_(.+)_section_(\d+)(?:_(source|target))?_test")


def make_scores(truth_folder, to, seed=0):
    """Write score and decision files for an evaluation set in shuffled order; the rows as brute force wants them."""
    rng = np.random.default_rng(seed)
    rows = defaultdict(lambda: defaultdict(list))
    to.mkdir()
    for path in sorted((truth_folder / "ground_truth_data").iterdir()):
        machine, section, domain = NAME.match(path.name).groups()
        labels = dict(csv.reader(path.open()))
        beside = truth_folder / "ground_truth_domain" / path.name
        domains = dict(csv.reader(beside.open())) if beside.exists() else {}
        lines, decisions = [], []
        for name, label in labels.items():
            own = domain or ("target" if domains[name] == "1" else "source")
            score = round(float(rng.normal(0.7 * int(label) + 0.4 * (own == "target"))), 1)  # with ties
            rows[machine][section].append((score, int(label), own))
            lines.append(f"{name},{score}\n")
            decisions.append(f"{name},{int(score > 1)}\n")
        order = rng.permutation(len(lines))
        part = f"_{domain}" if domain else ""
        for kind, text in (("anomaly_score", lines), ("decision_result", decisions)):
            file = to / f"{kind}_{machine}_section_{section}{part}_test.csv"
            file.write_text("".join(text[index] for index in order))
    return rows


@pytest.mark.parametrize(("year", "machines"), [(2021, 7), (2024, 9)])
def test_scores_against_official_ground_truth(cli, shared_data, tmp_path, year, machines):
    truth = shared_data / "ground_truth" / f"dcase{year}"
    rows = make_scores(truth, tmp_path / "scores")
    outcome = cli(
        "evaluate", tmp_path / "scores", "--protocol", f"dcase{year}", "--ground-truth", truth, "--json", "--ci", "none"
    )
    assert outcome.code == 0
    result = outcome.json
    assert len(result["machines"]) == machines
    assert result["dataset"] == f"dcase{year} eval"
    assert result["problems"] == []
    assert result["official_score"] == pytest.approx(brute_force.official_score(year, rows), abs=1e-12)
    for machine, parts in rows.items():
        for section, own in parts.items():
            found = result["machines"][machine]["sections"][section]
            for domain in ("source", "target"):
                hits = sum(score > 1 and label == 1 for score, label, d in own if d == domain)
                called = sum(score > 1 for score, _, d in own if d == domain)
                assert found["domains"][domain]["precision"] == pytest.approx(hits / called, abs=1e-12)


def test_without_ground_truth_an_evaluation_set_has_no_labels(cli, shared_data, tmp_path):
    make_scores(shared_data / "ground_truth" / "dcase2023", tmp_path / "scores")
    outcome = cli("evaluate", tmp_path / "scores", "--protocol", "dcase2023", "--json")
    assert outcome.code == 1
    kinds = {problem["kind"] for problem in outcome.json["problems"]}
    assert kinds == {"unlabelled"}
    assert len(outcome.json["problems"]) == 7, "one for each file, not one for each clip"
    assert "--ground-truth" in outcome.json["problems"][0]["text"]
