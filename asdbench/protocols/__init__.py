"""Protocols: official scores of the DCASE challenges, thresholds, decisions and intervals."""

from asdbench.protocols.definitions import DEFINITIONS, PROTOCOLS, SectionScores
from asdbench.protocols.evaluation import evaluate
from asdbench.protocols.requirements import require_scorable, undefined_terms
from asdbench.protocols.resampling import Difference, bootstrap_intervals, paired_difference
from asdbench.protocols.results import (
    DomainResult,
    Evaluation,
    Intervals,
    MachineResult,
    SectionResult,
    official_terms,
)
from asdbench.protocols.threshold import Threshold, fit_threshold

__all__ = [
    "DEFINITIONS",
    "PROTOCOLS",
    "Difference",
    "DomainResult",
    "Evaluation",
    "Intervals",
    "MachineResult",
    "SectionResult",
    "SectionScores",
    "Threshold",
    "bootstrap_intervals",
    "evaluate",
    "fit_threshold",
    "official_terms",
    "paired_difference",
    "require_scorable",
    "undefined_terms",
]
