"""Data sets: a folder of recordings becomes one table of clips."""

from asdbench.datasets.clips import BlindClip, Clip, Dataset, TrainingClip
from asdbench.datasets.inventory import read_folder

__all__ = ["BlindClip", "Clip", "Dataset", "TrainingClip", "read_folder"]
