"""Protocols: official scores of the DCASE challenges, thresholds, decisions and intervals.

Names are imported when they are first used: thresholds need numpy alone, which an exported detector starts with.
"""

from typing import TYPE_CHECKING

from asdbench.core.lazy import importer

if TYPE_CHECKING:
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

_HOME = {
    "DEFINITIONS": "definitions",
    "Difference": "resampling",
    "DomainResult": "results",
    "Evaluation": "results",
    "Intervals": "results",
    "MachineResult": "results",
    "PROTOCOLS": "definitions",
    "SectionResult": "results",
    "SectionScores": "definitions",
    "Threshold": "threshold",
    "ThresholdRule": "threshold",
    "bootstrap_intervals": "resampling",
    "evaluate": "evaluation",
    "fit_threshold": "threshold",
    "official_terms": "results",
    "p_values": "threshold",
    "paired_difference": "resampling",
    "require_scorable": "requirements",
    "undefined_terms": "requirements",
}

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

__getattr__ = importer("asdbench.protocols", _HOME)
