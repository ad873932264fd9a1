"""The official score of 2022 to 2026 from score files alone, by its definition; nothing of asdbench is used."""

import csv
from itertools import pairwise
from pathlib import Path


def official_score_of_files(folder: Path) -> float:
    """Harmonic mean of AUC_source, AUC_target and pAUC over all score files of a folder; pairs are counted."""
    terms = []
    for path in sorted(folder.glob("anomaly_score_*")):
        with path.open() as file:
            rows = [(name, float(value)) for name, value in csv.reader(file)]
        anomaly = [score for name, score in rows if "_anomaly_" in name]
        for domain in ("_source_", "_target_"):
            normal = [score for name, score in rows if "_normal_" in name and domain in name]
            wins = sum((a > n) + 0.5 * (a == n) for a in anomaly for n in normal)
            terms.append(wins / len(anomaly) / len(normal))
        terms.append(partial_auc([score for name, score in rows if "_normal_" in name], anomaly))
    return len(terms) / sum(1 / term for term in terms)


def partial_auc(normal: list[float], anomaly: list[float], limit: float = 0.1) -> float:
    """Area under the ROC curve up to ``limit``, strip by strip, standardised by McClish."""
    points = [(0.0, 0.0)]
    for threshold in sorted({*normal, *anomaly}, reverse=True):
        false = sum(score >= threshold for score in normal) / len(normal)
        points.append((false, sum(score >= threshold for score in anomaly) / len(anomaly)))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            area += (end - x0) * (y0 + y0 + (y1 - y0) * (end - x0) / (x1 - x0)) / 2
    return 0.5 * (1 + (area - limit**2 / 2) / (limit - limit**2 / 2))
