"""The official scores of DCASE Task 2, one definition for each formula.

A definition says which clips every term of the score is computed over (``terms``) and how terms become a total
(``of_machine``, ``of_dataset``). Totals are of numbers and of arrays of bootstrap replicates alike.
The documentation has the formulas under "Official scores, year by year".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from asdbench.protocols.metrics import Labels, Scores, arithmetic_mean, harmonic_mean

Metric = Literal["auc", "pauc"]
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
    metric: Metric
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Definition:
    """How the scores of a challenge are computed."""

    terms: Callable[[SectionScores], list[Term]]  # the terms of the official score that a section contributes
    # domains that a section's test clips belong to; ("all",) where there are none
    domains: tuple[str, ...] = ("source", "target")
    mean: Callable[[Sequence[Any]], Values] = harmonic_mean  # by which sections and machine types are brought together
    # whether machine types are averaged first, so that one with fewer sections weighs as much as the others
    machines_weigh_alike: bool = False

    def of_machine(self, terms: Sequence[Any]) -> Values:
        """The score of one machine type, from the terms of all its sections."""
        return self.mean(terms)

    def of_dataset(self, machines: Mapping[str, Sequence[Any]]) -> Values:
        """The official score, from the terms of every machine type."""
        if self.machines_weigh_alike:
            return self.mean([self.of_machine(terms) for terms in machines.values()])
        return self.mean([term for terms in machines.values() for term in terms])

    def members(self, rows: SectionScores, domain: str) -> NDArray[np.bool_]:
        """The clips of one domain."""
        return np.ones(len(rows.labels), bool) if self.domains == ("all",) else np.asarray(rows.domains == domain)


def _over_all_clips(rows: SectionScores) -> list[Term]:
    every = np.ones(len(rows.labels), bool)
    return [Term("auc", "auc", every), Term("pauc", "pauc", every)]


def _within_domains(rows: SectionScores) -> list[Term]:
    metrics: tuple[Metric, ...] = ("auc", "pauc")
    return [
        Term(f"{metric}_{domain}", metric, rows.domains == domain)
        for domain in ("source", "target")
        for metric in metrics
    ]


def _normals_of_a_domain(rows: SectionScores) -> list[Term]:
    by_domain = [
        Term(f"auc_{domain}", "auc", (rows.domains == domain) | (rows.labels == 1)) for domain in ("source", "target")
    ]
    return [*by_domain, Term("pauc", "pauc", np.ones(len(rows.labels), bool))]


# 2020: AUC and pAUC per machine id; arithmetic means over ids, then over machine types. The challenge ranked by AUC and
# pAUC apart; their mean is the one number that papers quote.
# 2021: AUC and pAUC per section and domain, each of that domain's own clips; harmonic mean of all.
# 2022 on: AUC_source and AUC_target against the anomalies of BOTH domains, pAUC over all; harmonic mean.
DEFINITIONS: Mapping[str, Definition] = {
    "dcase2020": Definition(_over_all_clips, ("all",), arithmetic_mean, machines_weigh_alike=True),
    "dcase2021": Definition(_within_domains),
    **{f"dcase{year}": Definition(_normals_of_a_domain) for year in range(2022, 2027)},
}
PROTOCOLS = tuple(DEFINITIONS)


def score_name(protocol: str, layout: str) -> str:
    """What the one number of a data set is called: recordings without two domains have no official score."""
    if protocol == "dcase2020" and layout != protocol:
        return "mean of AUC and pAUC over all clips (as dcase2020)"
    return f"official score of {protocol}"
