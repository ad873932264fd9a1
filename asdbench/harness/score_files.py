"""Score and decision files in the form of the DCASE challenges: ``file name,value``, no header."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from asdbench.core.files import write_text
from asdbench.datasets import Clip
from asdbench.harness.scoring import SectionOutcome


def write_score_files(folder: Path, machine: str, section: str, clips: list[Clip], outcome: SectionOutcome) -> None:
    """Write both files of one section, rows ordered by file name; scores are written to the last digit."""
    scores, decisions = by_key(outcome)
    named = sorted((clip.name, clip.key) for clip in clips)
    for kind, values in (("anomaly_score", scores), ("decision_result", decisions)):
        text = "".join(f"{name},{values[key]!r}\n" for name, key in named)
        write_text(folder / f"{kind}_{machine}_section_{section}_test.csv", text)


def by_key(outcome: SectionOutcome) -> tuple[Mapping[str, float], Mapping[str, int]]:
    """Scores and decisions by clip key."""
    keys = [clip.key for clip in outcome.clips]
    return (
        dict(zip(keys, map(float, outcome.scores), strict=True)),
        dict(zip(keys, map(int, np.asarray(outcome.decisions)), strict=True)),
    )
