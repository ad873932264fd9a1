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
    return Evaluation(
        protocol=protocol,
        official_score=float(definition.of_dataset(terms)),
        means=_means([result for of_machine in results.values() for result in of_machine.values()]),
        machines={
            machine: _machine(definition, of_machine, float(definition.of_machine(terms[machine])))
            for machine, of_machine in results.items()
        },
    )


def section_terms(definition: Definition, rows: SectionScores) -> dict[str, float]:
    """The section's terms of the official score, by name."""
    metrics = {"auc": auc, "pauc": pauc}
    return {
        term.name: metrics[term.metric](rows.labels[term.mask], rows.scores[term.mask])
        for term in definition.terms(rows)
    }


def result_rows(section: SectionResult) -> list[Row]:
    """The section's rows in the result table of the official programs; without decisions they lack columns.

    2020: AUC, pAUC. 2021: a row for each domain. From 2022 on one row with columns for both domains.
    """
    domains = section.domains
    rows: list[dict[str, float | None]]
    if any(domain.pauc is not None for domain in domains.values()):
        columns = {"auc", "pauc", "precision", "recall", "f1"}
        rows = [domain.model_dump(include=columns) for domain in domains.values()]
    elif len(domains) == 1:
        rows = [{"auc": section.auc, "pauc": section.pauc}]
    else:
        row: dict[str, float | None] = {f"auc_{name}": domain.auc for name, domain in domains.items()}
        row["pauc"] = section.pauc
        for key in ("precision", "recall", "f1"):
            row |= {f"{key}_{name}": getattr(domain, key) for name, domain in domains.items()}
        rows = [row]
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def _section(definition: Definition, rows: SectionScores, terms: Mapping[str, float]) -> SectionResult:
    domains = {}
    for name in definition.domains:
        clips = definition.members(rows, name)
        labels = rows.labels[clips]
        precision = recall = f1 = None
        if rows.decisions is not None:
            precision, recall, f1 = precision_recall_f1(labels, rows.decisions[clips])
        domains[name] = DomainResult(
            auc=terms.get(f"auc_{name}", terms.get("auc", float("nan"))),
            pauc=terms.get(f"pauc_{name}"),
            normal=int(np.sum(labels == 0)),
            anomaly=int(np.sum(labels == 1)),
            precision=precision,
            recall=recall,
            f1=f1,
        )
    partial = [domain.pauc for domain in domains.values() if domain.pauc is not None]
    return SectionResult(
        auc=auc(rows.labels, rows.scores),
        pauc=terms["pauc"] if "pauc" in terms else float(definition.mean(partial)),
        domains=domains,
    )


def _machine(definition: Definition, sections: dict[str, SectionResult], score: float) -> MachineResult:
    def of_domain(name: str) -> float | None:
        values = [section.domains[name].auc for section in sections.values() if name in section.domains]
        return float(definition.mean(values)) if values else None

    domains = [domain for section in sections.values() for domain in section.domains.values()]
    f1 = [domain.f1 for domain in domains if domain.f1 is not None]
    return MachineResult(
        auc_source=of_domain("source"),
        auc_target=of_domain("target"),
        auc=float(definition.mean([section.auc for section in sections.values()])),
        pauc=float(definition.mean([section.pauc for section in sections.values()])),
        f1=float(np.mean(f1)) if f1 else None,
        official_score=score,
        means=_means(list(sections.values())),
        sections=sections,
    )


def _means(sections: Sequence[SectionResult]) -> Means:
    """Over the columns that all rows have: decisions of some sections may be missing."""
    rows = [row for section in sections for row in result_rows(section)]
    columns = {key: [row[key] for row in rows] for key in rows[0] if all(key in row for row in rows)}
    return Means(
        arithmetic={key: float(arithmetic_mean(values)) for key, values in columns.items()},
        harmonic={key: float(harmonic_mean(values)) for key, values in columns.items()},
    )
