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
    from asdbench.protocols.results import Evaluation, Intervals, MachineResult, official_terms
    from asdbench.protocols.threshold import Threshold, ThresholdRule, fit_threshold, p_values

_NAMES = {
    "definitions": ("DEFINITIONS", "PROTOCOLS", "SectionScores"),
    "evaluation": ("evaluate",),
    "requirements": ("require_scorable", "undefined_terms"),
    "resampling": ("Difference", "bootstrap_intervals", "paired_difference"),
    "results": ("Evaluation", "Intervals", "MachineResult", "official_terms"),
    "threshold": ("Threshold", "ThresholdRule", "fit_threshold", "p_values"),
}

__all__ = [
    "DEFINITIONS",
    "PROTOCOLS",
    "Difference",
    "Evaluation",
    "Intervals",
    "MachineResult",
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

__getattr__ = importer(__name__, {name: module for module, names in _NAMES.items() for name in names})
