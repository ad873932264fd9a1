"""Official scores.

2022 to 2026: harmonic mean of AUC_source, AUC_target and pAUC over all sections of all machine types; AUC of a
domain sets its normals against the anomalies of BOTH domains. 2020: arithmetic means of AUC and pAUC over the
machine ids, then over machine types; the total is the mean of the two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asdbench.protocols.metrics import Labels, Scores, auc, harmonic_mean, pauc, precision_recall_f1
from asdbench.protocols.results import DomainResult, Evaluation, MachineResult, SectionResult

WHOLE = "all"


@dataclass(frozen=True)
class SectionScores:
    """Test clips of one section, row by row.

    Attributes:
        labels: 1 for anomalies.
        domains: "source" or "target"; empty texts where the data set has no domains.
        scores: higher is more anomalous.
        decisions: 1 where the score lies above the threshold.
    """

    labels: Labels
    domains: NDArray[np.str_]
    scores: Scores
    decisions: Labels


def evaluate(protocol: str, sections: Mapping[tuple[str, str], SectionScores]) -> Evaluation:
    """Evaluate the scores of all (machine, section) pairs under a protocol of ``requirements.PROTOCOLS``."""
    with_domains = protocol != "dcase2020"
    results: dict[str, dict[str, SectionResult]] = {}
    for (machine, section), rows in sorted(sections.items()):
        results.setdefault(machine, {})[section] = _section(rows, with_domains)
    mean = harmonic_mean if with_domains else _arithmetic_mean
    machines = {machine: _machine(parts, with_domains) for machine, parts in results.items()}
    if with_domains:
        total = mean(term for parts in results.values() for part in parts.values() for term in _terms(part))
    else:
        total = mean(machine.official_score for machine in machines.values())
    return Evaluation(protocol=protocol, official_score=total, machines=machines)


def _section(rows: SectionScores, with_domains: bool) -> SectionResult:
    names = ("source", "target") if with_domains else (WHOLE,)
    domains = {}
    for name in names:
        own = rows.domains == name if with_domains else np.ones(len(rows.labels), bool)
        judged = own | (rows.labels == 1)
        precision, recall, f1 = precision_recall_f1(rows.labels[own], rows.decisions[own])
        domains[name] = DomainResult(
            auc=auc(rows.labels[judged], rows.scores[judged]),
            normal=int(np.sum(rows.labels[own] == 0)),
            anomaly=int(np.sum(rows.labels[own] == 1)),
            precision=precision,
            recall=recall,
            f1=f1,
        )
    return SectionResult(auc=auc(rows.labels, rows.scores), pauc=pauc(rows.labels, rows.scores), domains=domains)


def _terms(part: SectionResult) -> list[float]:
    """The section's terms of the official score."""
    return [*(domain.auc for domain in part.domains.values()), part.pauc]


def _machine(parts: Mapping[str, SectionResult], with_domains: bool) -> MachineResult:
    mean = harmonic_mean if with_domains else _arithmetic_mean

    def of_domain(name: str) -> float | None:
        found = [part.domains[name].auc for part in parts.values() if name in part.domains]
        return mean(found) if found else None

    return MachineResult(
        auc_source=of_domain("source"),
        auc_target=of_domain("target"),
        auc=mean([part.auc for part in parts.values()]),
        pauc=mean([part.pauc for part in parts.values()]),
        f1=_arithmetic_mean([domain.f1 for part in parts.values() for domain in part.domains.values()]),
        official_score=mean([term for part in parts.values() for term in _terms(part)]),
        sections=dict(parts),
    )


def _arithmetic_mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
