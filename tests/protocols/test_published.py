"""Against score files and results that others published."""

import csv

import numpy as np
import pytest

from asdbench.protocols import SectionScores, evaluate
from asdbench.protocols.metrics import harmonic_mean


def read_rows(path):
    with path.open() as file:
        return [row for row in csv.reader(file) if row]


def published_by_section(path):
    """{(machine, section): {column: value}} of a result.csv."""
    found, machine, columns = {}, None, []
    for row in read_rows(path):
        if len(row) == 1:
            machine = row[0]
        elif row[0] in ("section", "id"):
            columns = row[1:]
        elif row[0].isdigit():
            found[machine, row[0]] = dict(zip(columns, map(float, row[1:]), strict=True))
    return found


def section_scores(score_file, decision_file=None):
    rows = read_rows(score_file)
    decisions = [int(value) for _, value in read_rows(decision_file)] if decision_file else [0] * len(rows)
    return SectionScores(
        labels=np.array([int("anomaly" in name) for name, _ in rows]),
        domains=np.array(["source" if "source" in name else "target" if "target" in name else "" for name, _ in rows]),
        scores=np.array([float(value) for _, value in rows]),
        decisions=np.array(decisions),
    )


def test_dcase2022_scores_to_the_last_digit(shared_data):
    folder = shared_data / "goldens" / "dcase2022-ae-dev"
    published = published_by_section(folder / "result.csv")
    assert len(published) == 21
    sections = {
        key: section_scores(
            folder / f"anomaly_score_{key[0]}_section_{key[1]}_test.csv",
            folder / f"decision_result_{key[0]}_section_{key[1]}_test.csv",
        )
        for key in published
    }
    result = evaluate("dcase2023", sections)
    for (machine, section), row in published.items():
        ours = result.machines[machine].sections[section]
        for domain in ("source", "target"):
            part = ours.domains[domain]
            assert part.auc == pytest.approx(row[f"AUC ({domain})"], abs=1e-12)
            assert part.precision == pytest.approx(row[f"precision ({domain})"], abs=1e-12)
            assert part.recall == pytest.approx(row[f"recall ({domain})"], abs=1e-12)
            assert part.f1 == pytest.approx(row[f"F1 score ({domain})"], abs=1e-12)
        assert ours.pauc == pytest.approx(row["pAUC"], abs=1e-12)
    terms = [row[name] for row in published.values() for name in ("AUC (source)", "AUC (target)", "pAUC")]
    assert result.official_score == pytest.approx(len(terms) / sum(1 / term for term in terms), abs=1e-12)


def test_dcase2020_scores_to_the_last_digit(shared_data):
    folder = shared_data / "goldens" / "dcase2020-toycar"
    published = published_by_section(folder / "result.csv")
    sections = {key: section_scores(folder / f"anomaly_score_{key[0]}_id_{key[1]}.csv") for key in published}
    machine = evaluate("dcase2020", sections).machines["ToyCar"]
    for (_, number), row in published.items():
        assert machine.sections[number].auc == pytest.approx(row["AUC"], abs=1e-12)
        assert machine.sections[number].pauc == pytest.approx(row["pAUC"], abs=1e-12)
    mean_auc = sum(row["AUC"] for row in published.values()) / len(published)
    mean_pauc = sum(row["pAUC"] for row in published.values()) / len(published)
    assert machine.auc == pytest.approx(mean_auc, abs=1e-12)
    assert machine.official_score == pytest.approx((mean_auc + mean_pauc) / 2, abs=1e-12)
    assert machine.auc_source is None


@pytest.mark.parametrize(
    ("system", "total"),
    [
        ("SimCLR ResNet-18 + Mahalanobis ML", 62.41),
        ("SimCLR ResNet-18 + elliptic envelope", 61.31),
        ("AE baseline MSE", 55.02),
        ("AE baseline selective Mahalanobis", 56.58),
    ],
)
def test_the_papers_totals_are_the_harmonic_means_of_its_rows(shared_data, system, total):
    with (shared_data / "published" / "per_machine.csv").open() as file:
        rows = [
            float(row["percent"])
            for row in csv.DictReader(file)
            if (row["dataset"], row["split"], row["system"]) == ("dcase2023", "dev", system)
        ]
    assert len(rows) == 21
    assert 100 * harmonic_mean([value / 100 for value in rows]) == pytest.approx(total, abs=0.005)
