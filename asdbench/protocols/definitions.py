"""The official scores of DCASE Task 2, one class for each definition.

Each class says which clips every term of the score is computed over (``terms``) and how terms become a total
(``of_machine``, ``of_dataset``). Both work on numbers and on arrays of bootstrap replicates alike. docs/protocols.md
has the formulas.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from asdbench.protocols.metrics import Labels, Scores, arithmetic_mean, harmonic_mean

Values = NDArray[np.float64]  # one number, or one for each replicate


@dataclass(frozen=True)
class SectionScores:
    """Test clips of one section, row by row.

    Attributes:
        labels: 1 for anomalies.
        domains: "source" or "target"; empty texts where the data set has no domains.
        scores: higher is more anomalous.
        decisions: 1 where the score lies above the threshold; None where no decisions are known.
        names: file names of the clips, by which two systems are compared.
    """

    labels: Labels
    domains: NDArray[np.str_]
    scores: Scores
    decisions: Labels | None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Term:
    """One number that a section contributes: AUC or pAUC over the clips of ``mask``."""

    name: str
    metric: Literal["auc", "pauc"]
    mask: NDArray[np.bool_]


class Definition(ABC):
    """How the scores of a challenge are computed.

    Attributes:
        domains: domains that a section's test clips belong to; ("all",) where there are none.
    """

    domains: tuple[str, ...] = ("source", "target")

    @abstractmethod
    def terms(self, rows: SectionScores) -> list[Term]:
        """The section's terms of the official score."""

    def mean(self, values: Sequence[Any]) -> Values:
        """The mean by which sections and machine types are brought together."""
        return harmonic_mean(values)

    def of_machine(self, terms: Sequence[Any]) -> Values:
        """The score of one machine type, from the terms of all its sections."""
        return self.mean(terms)

    def of_dataset(self, machines: Mapping[str, Sequence[Any]]) -> Values:
        """The official score, from the terms of every machine type."""
        return self.mean([term for terms in machines.values() for term in terms])

    def members(self, rows: SectionScores, domain: str) -> NDArray[np.bool_]:
        """The clips of one domain."""
        return np.asarray(rows.domains == domain)


class PerMachineId(Definition):
    """2020: AUC and pAUC per machine id; arithmetic means over ids, then over machine types.

    The challenge ranked by AUC and pAUC apart; their mean is the one number that papers quote.
    """

    domains = ("all",)

    def terms(self, rows: SectionScores) -> list[Term]:
        """AUC and pAUC over all clips."""
        everything = np.ones(len(rows.labels), bool)
        return [Term("auc", "auc", everything), Term("pauc", "pauc", everything)]

    def mean(self, values: Sequence[Any]) -> Values:
        """Arithmetic."""
        return arithmetic_mean(values)

    def of_dataset(self, machines: Mapping[str, Sequence[Any]]) -> Values:
        """Mean over machine types of their means, so that a type with fewer ids weighs as much as the others."""
        return self.mean([self.of_machine(terms) for terms in machines.values()])

    def members(self, rows: SectionScores, domain: str) -> NDArray[np.bool_]:
        """All clips: there is one domain."""
        return np.ones(len(rows.labels), bool)


class PerDomain(Definition):
    """2021: AUC and pAUC per section and domain, each of that domain's own clips; harmonic mean of all."""

    def terms(self, rows: SectionScores) -> list[Term]:
        """AUC and pAUC of each domain."""
        metrics: tuple[Literal["auc", "pauc"], ...] = ("auc", "pauc")
        return [
            Term(f"{metric}_{domain}", metric, self.members(rows, domain))
            for domain in self.domains
            for metric in metrics
        ]


class DomainGeneralisation(Definition):
    """2022 on: AUC_source and AUC_target against the anomalies of BOTH domains, pAUC over all; harmonic mean."""

    def terms(self, rows: SectionScores) -> list[Term]:
        """AUC of each domain's normals against all anomalies, and pAUC over all clips."""
        terms = [
            Term(f"auc_{domain}", "auc", self.members(rows, domain) | (rows.labels == 1)) for domain in self.domains
        ]
        return [*terms, Term("pauc", "pauc", np.ones(len(rows.labels), bool))]


DEFINITIONS: Mapping[str, Definition] = {
    "dcase2020": PerMachineId(),
    "dcase2021": PerDomain(),
    **{f"dcase{year}": DomainGeneralisation() for year in range(2022, 2027)},
}
PROTOCOLS = tuple(DEFINITIONS)
