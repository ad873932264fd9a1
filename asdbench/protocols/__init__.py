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
from asdbench.protocols.threshold import Threshold, ThresholdRule, fit_threshold, p_values

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
    "ThresholdRule",
    "bootstrap_intervals",
    "evaluate",
    "fit_threshold",
    "official_terms",
    "p_values",
    "paired_difference",
    "require_scorable",
    "undefined_terms",
]
