"""Steps that stand in front of a scorer: ``whiten+knn``."""

from asdbench.scorers.steps.base import Changed, Step

__all__ = ["Changed", "Step"]
