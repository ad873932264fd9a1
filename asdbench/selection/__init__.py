"""Choosing without labels: how good a configuration is, told from normal clips alone."""

from asdbench.selection.criterion import Outliers, SelectionError, Verdict, criterion, judge
from asdbench.selection.cut_paste import cut_paste
from asdbench.selection.pasted import outlier_features
from asdbench.selection.reference import reference_detector

__all__ = [
    "Outliers",
    "SelectionError",
    "Verdict",
    "criterion",
    "cut_paste",
    "judge",
    "outlier_features",
    "reference_detector",
]
