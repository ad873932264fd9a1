"""Protocols: official scores of the DCASE challenges, thresholds and decisions."""

from asdbench.protocols.bootstrap import bootstrap_interval
from asdbench.protocols.evaluation import SectionScores, evaluate
from asdbench.protocols.requirements import protocol_of, require_scorable
from asdbench.protocols.results import DomainResult, Evaluation, MachineResult, SectionResult
from asdbench.protocols.threshold import Threshold, fit_threshold

__all__ = [
    "DomainResult",
    "Evaluation",
    "MachineResult",
    "SectionResult",
    "SectionScores",
    "Threshold",
    "bootstrap_interval",
    "evaluate",
    "fit_threshold",
    "protocol_of",
    "require_scorable",
]
