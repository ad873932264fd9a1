"""Steps that stand in front of a scorer: ``whiten+knn``."""

from asdbench.scorers.steps.base import Step

__all__ = ["Step"]
