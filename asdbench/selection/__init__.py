"""Choosing without labels: how good a configuration is, estimated from normal clips alone."""

from asdbench.selection.criterion import Outliers, SelectionError, criterion, reference_detector
from asdbench.selection.domains import domain_balance, vetoed
from asdbench.selection.pasted import cut_paste, outlier_features

__all__ = [
    "Outliers",
    "SelectionError",
    "criterion",
    "cut_paste",
    "domain_balance",
    "outlier_features",
    "reference_detector",
    "vetoed",
]
