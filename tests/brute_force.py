"""The official scores written out pair by pair and strip by strip, for tests; nothing of asdbench is used."""

from itertools import pairwise

import numpy as np

EPSILON = 2.220446049250313e-16


def auc(normal, anomaly):
    """Share of (normal, anomaly) pairs in the right order; ties count half."""
    return float(np.mean([(a > n) + 0.5 * (a == n) for a in anomaly for n in normal]))


def pauc(normal, anomaly, limit=0.1):
    """Area under the ROC up to ``limit``, strip by strip, then McClish's formula."""
    normal, anomaly = np.asarray(normal), np.asarray(anomaly)
    points = [(0.0, 0.0)]
    for threshold in sorted({*normal, *anomaly}, reverse=True):
        points.append((float(np.mean(normal >= threshold)), float(np.mean(anomaly >= threshold))))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= limit or x1 == x0:
            continue
        end = min(x1, limit)
        area += (end - x0) * (y0 + y0 + (y1 - y0) * (end - x0) / (x1 - x0)) / 2
    lowest = limit**2 / 2
    return 0.5 * (1 + (area - lowest) / (limit - lowest))


def harmonic(values):
    return len(values) / sum(1 / max(value, EPSILON) for value in values)


def official_score(year, sections):
    """``sections``: {machine: {section: [(score, label, domain)]}}."""
    if year == 2020:
        by_machine = []
        for parts in sections.values():
            pairs = [_split(rows) for rows in parts.values()]
            by_machine.append(np.mean([(auc(*pair) + pauc(*pair)) / 2 for pair in pairs]))
        return float(np.mean(by_machine))
    terms = []
    for parts in sections.values():
        for rows in parts.values():
            normal, anomaly = _split(rows)
            for domain in ("source", "target"):
                own_normal, own_anomaly = _split([row for row in rows if row[2] == domain])
                if year == 2021:
                    terms += [auc(own_normal, own_anomaly), pauc(own_normal, own_anomaly)]
                else:
                    terms.append(auc(own_normal, anomaly))
            if year > 2021:
                terms.append(pauc(normal, anomaly))
    return harmonic(terms)


def _split(rows):
    return [score for score, label, _ in rows if label == 0], [score for score, label, _ in rows if label == 1]
