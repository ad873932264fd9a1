"""Choosing without labels: how good a configuration is, estimated from normal clips alone."""

from asdbench.selection.balance import domain_balance
from asdbench.selection.criterion import Areas, Outliers, SelectionError, areas_of, criterion, reference_detector
from asdbench.selection.pasted import cut_paste, outlier_features
from asdbench.selection.veto import vetoed

__all__ = [
    "Areas",
    "Outliers",
    "SelectionError",
    "areas_of",
    "criterion",
    "cut_paste",
    "domain_balance",
    "outlier_features",
    "reference_detector",
    "vetoed",
]
