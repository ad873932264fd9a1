"""Entries to the challenge: the folder that the organisers want, written from a run and checked."""

from asdbench.submission.check import Finding, check_submission
from asdbench.submission.meta import read_yaml, require_label
from asdbench.submission.write import Written, write_submission

__all__ = ["Finding", "Written", "check_submission", "read_yaml", "require_label", "write_submission"]
