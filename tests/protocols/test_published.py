"""Against totals that others published; tests/score_files/test_goldens.py has every number of their score files."""

import csv

import pytest

from asdbench.protocols.metrics import harmonic_mean


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
