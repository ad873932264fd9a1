"""Bootstrap intervals of the official score and of every cell, and of the difference of two systems.

Test clips are drawn with replacement within each (section, domain, label), so every replicate holds the data set's
own numbers of clips. All replicates are computed at once: the AUC of a replicate is a product of how often each
clip was drawn with the matrix of pairs that stand in the right order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.core.errors import UsageError
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.metrics import MAX_FPR, Labels, Scores
from asdbench.protocols.results import Interval, Intervals
from asdbench.protocols.sections import SectionScores

REPLICATES = 10_000
CHUNK = 1_000  # replicates at a time: the draws of a large section then stay in the processor's cache
METHOD = "bootstrap, stratified by section, domain and label; 2.5 and 97.5 percentiles"
Array = NDArray[np.float64]
Terms = dict[tuple[str, str], dict[str, Array]]  # (machine, section) -> term -> one value for each replicate
Sections = Mapping[tuple[str, str], SectionScores]


@dataclass(frozen=True)
class Difference:
    """How the official scores of two systems differ on the same test clips.

    Attributes:
        difference: score of the first less that of the second.
        ci95: its 95 % interval.
        probability: share of replicates in which the first is better; ties count half.
    """

    difference: float
    ci95: Interval
    probability: float


def bootstrap_intervals(protocol: str, sections: Sections, replicates: int = REPLICATES) -> Intervals:
    """The 2.5 and 97.5 percentiles of every number over ``replicates`` resampled test sets."""
    definition = DEFINITIONS[protocol]
    found = resampled_terms(protocol, sections, replicates)
    machines: dict[str, dict[str, Interval]] = {}
    for machine, terms in _by_machine(found).items():
        columns = {"official_score": definition.of_machine([value for part in terms for value in part.values()])}
        for name in terms[0]:
            columns[name] = definition.mean([part[name] for part in terms])
        machines[machine] = {name: _interval(values) for name, values in columns.items()}
    parts: dict[str, dict[str, dict[str, Interval]]] = {}
    for (machine, section), own in found.items():
        parts.setdefault(machine, {})[section] = {name: _interval(values) for name, values in own.items()}
    return Intervals(
        method=METHOD,
        replicates=replicates,
        official_score=_interval(_totals(protocol, found)),
        machines=machines,
        sections=parts,
    )


def paired_difference(protocol: str, first: Sections, second: Sections, replicates: int = REPLICATES) -> Difference:
    """Compare two systems on the same clips: both are scored on every resampled test set.

    Raises:
        UsageError: they were not scored on the same test clips.
    """
    return paired_differences(protocol, first, second, replicates)[0]


def paired_differences(
    protocol: str, first: Sections, second: Sections, replicates: int = REPLICATES
) -> tuple[Difference, dict[str, Difference]]:
    """The difference in total and for each machine type.

    Raises:
        UsageError: they were not scored on the same test clips.
    """
    from asdbench.protocols.evaluation import evaluate

    aligned = _same_clips(first, second)
    points = [evaluate(protocol, sections) for sections in (first, aligned)]
    one, two = (resampled_terms(protocol, sections, replicates) for sections in (first, aligned))
    total = _difference([point.official_score for point in points], _totals(protocol, one), _totals(protocol, two))
    machines = {}
    for machine in points[0].machines:
        own = [{key: terms for key, terms in found.items() if key[0] == machine} for found in (one, two)]
        scores = [point.machines[machine].official_score for point in points]
        machines[machine] = _difference(scores, _totals(protocol, own[0]), _totals(protocol, own[1]))
    return total, machines


def _difference(scores: list[float], one: Array, two: Array) -> Difference:
    return Difference(scores[0] - scores[1], _interval(one - two), float(np.mean((one > two) + 0.5 * (one == two))))


def resampled_terms(protocol: str, sections: Sections, replicates: int) -> Terms:
    """Every term of the official score in ``replicates`` resampled test sets.

    The draws depend on machine type, section and the clips' domains and labels alone, so that two systems meet the
    same ones.
    """
    definition = DEFINITIONS[protocol]
    metrics = {"auc": resampled_auc, "pauc": resampled_pauc}
    found: Terms = {}
    for (machine, section), rows in sorted(sections.items()):
        terms = definition.terms(rows)
        seed = derive_seed(0, "bootstrap", machine, section)
        chunks: dict[str, list[Array]] = {term.name: [] for term in terms}
        for weights in _draws(rows, replicates, seed):
            for term in terms:
                values = metrics[term.metric](rows.labels[term.mask], rows.scores[term.mask], weights[:, term.mask])
                chunks[term.name].append(values)
        found[machine, section] = {name: np.concatenate(values) for name, values in chunks.items()}
    return found


def _draws(rows: SectionScores, replicates: int, seed: int) -> Iterator[Array]:
    """How often each clip is drawn, (up to CHUNK, clips)."""
    rng = np.random.default_rng(seed)
    strata = np.char.add(rows.domains.astype(str), rows.labels.astype(str))
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    clips = len(rows.labels)
    for start in range(0, replicates, CHUNK):
        size = min(CHUNK, replicates - start)
        offsets = np.arange(size)[:, None] * clips
        drawn = [own[rng.integers(0, len(own), (size, len(own)))] + offsets for own in members]
        counts = np.bincount(np.concatenate([part.ravel() for part in drawn]), minlength=size * clips)
        yield counts.reshape(size, clips).astype(np.float64)


def resampled_auc(labels: Labels, scores: Scores, weights: Array) -> Array:
    """AUC for each row of weights (replicates, clips): the weighted share of pairs in the right order."""
    normal, anomaly = labels == 0, labels == 1
    ahead = scores[anomaly][None, :] - scores[normal][:, None]
    wins = (ahead > 0) + 0.5 * (ahead == 0)
    pairs = np.einsum("ra,ra->r", weights[:, normal] @ wins, weights[:, anomaly])
    return np.asarray(pairs / (weights[:, normal].sum(axis=1) * weights[:, anomaly].sum(axis=1)))


def resampled_pauc(labels: Labels, scores: Scores, weights: Array) -> Array:
    """PAUC (McClish) for each row of weights; ``roc_auc_score`` with ``sample_weight``, for many at once."""
    order = np.argsort(-scores, kind="stable")
    starts = _corners(labels[order], scores[order])
    ordered = weights[:, order]
    false = np.cumsum(np.add.reduceat(ordered * (labels[order] == 0), starts, axis=1), axis=1)
    false /= false[:, -1:]
    needed = int(np.argmax((false >= MAX_FPR).all(axis=0))) + 1  # behind it every curve has passed the limit
    hits = np.cumsum(np.add.reduceat(ordered * (labels[order] == 1), starts, axis=1), axis=1)
    start = np.zeros((len(weights), 1))
    fpr = np.hstack([start, false[:, :needed]])
    tpr = np.hstack([start, hits[:, :needed] / hits[:, -1:]])
    width = np.diff(fpr, axis=1)
    inside = np.clip(MAX_FPR - fpr[:, :-1], 0.0, width)  # a strip is cut where the curve crosses the limit
    slope = np.divide(np.diff(tpr, axis=1), width, out=np.zeros_like(width), where=width > 0)
    area = np.sum(inside * (tpr[:, :-1] + slope * inside / 2), axis=1)
    lowest = MAX_FPR**2 / 2
    return np.asarray(0.5 * (1 + (area - lowest) / (MAX_FPR - lowest)))


def _corners(labels: Labels, scores: Scores) -> NDArray[np.intp]:
    """Where, in descending order of the scores, the ROC curve's straight pieces begin.

    A tie is one piece; so is a stretch of scores that only one class has.
    """
    firsts = np.flatnonzero(np.append(True, np.diff(scores) != 0))
    anomalies = np.add.reduceat(labels == 1, firsts)
    sizes = np.diff(np.append(firsts, len(scores)))
    kind = np.where(anomalies == 0, 0, np.where(anomalies == sizes, 1, 2))  # normal, anomaly, mixed
    new = np.append(True, (kind[1:] != kind[:-1]) | (kind[1:] == 2))
    return np.asarray(firsts[new])


def _totals(protocol: str, found: Terms) -> Array:
    terms = {
        machine: [value for part in parts for value in part.values()] for machine, parts in _by_machine(found).items()
    }
    return DEFINITIONS[protocol].of_dataset(terms)


def _by_machine(found: Terms) -> dict[str, list[dict[str, Array]]]:
    machines: dict[str, list[dict[str, Array]]] = {}
    for (machine, _), terms in found.items():
        machines.setdefault(machine, []).append(terms)
    return machines


def _interval(values: Any) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _same_clips(first: Sections, second: Sections) -> dict[tuple[str, str], SectionScores]:
    """The second system's rows in the order of the first's."""
    if first.keys() != second.keys():
        apart = ", ".join(f"{machine} {section}" for machine, section in sorted(first.keys() ^ second.keys()))
        raise UsageError(f"The two systems were not scored on the same sections; only one has: {apart}.")
    aligned = {}
    for key, rows in first.items():
        other = second[key]
        if not rows.names or sorted(other.names) != sorted(rows.names):
            raise UsageError(f"The two systems were not scored on the same clips of {key[0]}, section {key[1]}.")
        place = {name: row for row, name in enumerate(other.names)}
        order = np.array([place[name] for name in rows.names], np.intp)
        decisions = None if other.decisions is None else other.decisions[order]
        aligned[key] = SectionScores(
            other.labels[order], other.domains[order], other.scores[order], decisions, rows.names
        )
        if (aligned[key].labels != rows.labels).any() or (aligned[key].domains != rows.domains).any():
            raise UsageError(f"The two systems' labels or domains of {key[0]}, section {key[1]}, differ.")
    return aligned
