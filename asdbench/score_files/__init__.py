"""Score and decision files as the challenges want them: written, read by name, checked line by line, evaluated."""

from asdbench.datasets.ground_truth import GroundTruth, read_ground_truth
from asdbench.score_files.alignment import Aligned, align
from asdbench.score_files.files import Problem, write_score_files

__all__ = ["Aligned", "GroundTruth", "Problem", "align", "read_ground_truth", "write_score_files"]
