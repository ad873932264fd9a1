"""Evaluate scores under the definition of a year: per section and domain, per machine type, in total."""

from collections.abc import Mapping, Sequence

import numpy as np

from asdbench.protocols.definitions import DEFINITIONS, Definition, SectionScores
from asdbench.protocols.metrics import arithmetic_mean, auc, harmonic_mean, pauc, precision_recall_f1
from asdbench.protocols.results import DomainResult, Evaluation, MachineResult, Means, SectionResult

Row = dict[str, float]


def evaluate(protocol: str, sections: Mapping[tuple[str, str], SectionScores]) -> Evaluation:
    """Evaluate the scores of all (machine, section) pairs under a protocol of ``definitions.PROTOCOLS``."""
    definition = DEFINITIONS[protocol]
    terms: dict[str, list[float]] = {}
    results: dict[str, dict[str, SectionResult]] = {}
    for (machine, section), rows in sorted(sections.items()):
        values = section_terms(definition, rows)
        terms.setdefault(machine, []).extend(values.values())
        results.setdefault(machine, {})[section] = _section(definition, rows, values)
    machines = {
        machine: _machine(definition, parts, float(definition.of_machine(terms[machine])))
        for machine, parts in results.items()
    }
    table = [row for parts in results.values() for part in parts.values() for row in result_rows(part)]
    return Evaluation(
        protocol=protocol,
        official_score=float(definition.of_dataset(terms)),
        means=_means(table),
        machines=machines,
    )


def section_terms(definition: Definition, rows: SectionScores) -> dict[str, float]:
    """The section's terms of the official score, by name."""
    metrics = {"auc": auc, "pauc": pauc}
    return {
        term.name: metrics[term.metric](rows.labels[term.mask], rows.scores[term.mask])
        for term in definition.terms(rows)
    }


def result_rows(part: SectionResult) -> list[Row]:
    """The section's rows in the result table of the official programs; without decisions they lack columns.

    2020: AUC, pAUC. 2021: a row for each domain. From 2022 on one row with columns for both domains.
    """
    rows: list[dict[str, float | None]] = []
    if any(domain.pauc is not None for domain in part.domains.values()):
        rows = [domain.model_dump(include={"auc", "pauc", "precision", "recall", "f1"}) for domain in _of(part)]
    elif len(part.domains) == 1:
        rows = [{"auc": part.auc, "pauc": part.pauc}]
    else:
        named = part.domains.items()
        decided = {
            f"{key}_{name}": getattr(domain, key) for key in ("precision", "recall", "f1") for name, domain in named
        }
        rows = [{**{f"auc_{name}": domain.auc for name, domain in named}, "pauc": part.pauc, **decided}]
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def _of(part: SectionResult) -> Sequence[DomainResult]:
    return list(part.domains.values())


def _section(definition: Definition, rows: SectionScores, terms: Mapping[str, float]) -> SectionResult:
    domains = {}
    for name in definition.domains:
        own = definition.members(rows, name)
        decided = (None, None, None)
        if rows.decisions is not None:
            decided = precision_recall_f1(rows.labels[own], rows.decisions[own])  # type: ignore[assignment]
        domains[name] = DomainResult(
            auc=terms.get(f"auc_{name}", terms.get("auc", float("nan"))),
            pauc=terms.get(f"pauc_{name}"),
            normal=int(np.sum(rows.labels[own] == 0)),
            anomaly=int(np.sum(rows.labels[own] == 1)),
            precision=decided[0],
            recall=decided[1],
            f1=decided[2],
        )
    partial = [domain.pauc for domain in domains.values() if domain.pauc is not None]
    return SectionResult(
        auc=auc(rows.labels, rows.scores),
        pauc=terms["pauc"] if "pauc" in terms else float(definition.mean(partial)),
        domains=domains,
    )


def _machine(definition: Definition, parts: Mapping[str, SectionResult], score: float) -> MachineResult:
    def of_domain(name: str) -> float | None:
        found = [part.domains[name].auc for part in parts.values() if name in part.domains]
        return float(definition.mean(found)) if found else None

    f1 = [domain.f1 for part in parts.values() for domain in part.domains.values() if domain.f1 is not None]
    return MachineResult(
        auc_source=of_domain("source"),
        auc_target=of_domain("target"),
        auc=float(definition.mean([part.auc for part in parts.values()])),
        pauc=float(definition.mean([part.pauc for part in parts.values()])),
        f1=float(np.mean(f1)) if f1 else None,
        official_score=score,
        means=_means([row for part in parts.values() for row in result_rows(part)]),
        sections=dict(parts),
    )


def _means(rows: Sequence[Row]) -> Means:
    """Over the rows that have the column; all have the same ones, unless decisions of some sections are missing."""
    columns = [key for key in rows[0] if all(key in row for row in rows)]
    values = {key: [row[key] for row in rows] for key in columns}
    return Means(
        arithmetic={key: float(arithmetic_mean(found)) for key, found in values.items()},
        harmonic={key: float(harmonic_mean(found)) for key, found in values.items()},
    )
