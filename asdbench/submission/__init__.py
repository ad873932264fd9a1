"""Entries to the challenge: the folder that the organisers want, written from a run and checked."""

from asdbench.submission.check import check_submission
from asdbench.submission.meta import read_yaml, require_label
from asdbench.submission.write import write_submission

__all__ = ["check_submission", "read_yaml", "require_label", "write_submission"]
