"""Data sets: a folder of recordings becomes one table of clips."""

from asdbench.datasets.clips import BlindClip, Clip, ClipTable, TrainingClip
from asdbench.datasets.folder import read_folder

__all__ = ["BlindClip", "Clip", "ClipTable", "TrainingClip", "read_folder"]
