"""Names of score and decision files, in every form that the challenges and their baselines use.

2020: ``anomaly_score_fan_id_01.csv``. 2021: ``anomaly_score_fan_section_03_source_test.csv``. From 2022 on:
``anomaly_score_fan_section_03_test.csv``. The official baseline of 2023 and later writes
``anomaly_score_DCASE2023T2fan_section_00_test_seed13711_id(0_)_Eval.csv``. Decisions: ``decision_result_...``.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asdbench.datasets.clips import Domain

Kind = Literal["anomaly_score", "decision_result"]

_OF_2020 = re.compile(
    r"(?P<kind>anomaly_score|decision_result)_(?P<machine>.+)_id_(?P<section>[0-9]+)(?:_test)?\.(?:csv|CSV)"
)
_SINCE_2021 = re.compile(
    r"(?P<kind>anomaly_score|decision_result)_(?:DCASE[0-9]{4}T2)?(?P<machine>.+?)_section_(?P<section>[0-9]+)"
    r"(?:_(?P<domain>source|target))?_test(?:_.+)?\.(?:csv|CSV)"
)
ACCEPTED = (
    "anomaly_score_<machine>_section_<NN>_test.csv (2022 on), anomaly_score_<machine>_section_<NN>_source_test.csv and "
    "_target_test.csv (2021), anomaly_score_<machine>_id_<NN>.csv (2020)"
)


@dataclass(frozen=True)
class ScoreFile:
    """A file whose name says what it holds; ``domain`` where the domains have files of their own (2021)."""

    path: Path
    kind: Kind
    machine: str
    section: str
    domain: Domain | None


def parse_file_name(path: Path) -> ScoreFile | None:
    """What a score or decision file's name says; None when it is named like neither."""
    match = _SINCE_2021.fullmatch(path.name) or _OF_2020.fullmatch(path.name)
    if match is None:
        return None
    facts = match.groupdict()
    return ScoreFile(path, facts["kind"], facts["machine"], facts["section"], facts.get("domain"))  # type: ignore[arg-type]


def file_name(kind: Kind, layout: str, machine: str, section: str, domain: Domain | None = None) -> str:
    """The official name of a file for data of a layout."""
    if layout == "dcase2020":
        return f"{kind}_{machine}_id_{section}.csv"
    part = f"{domain}_test" if layout == "dcase2021" else "test"
    return f"{kind}_{machine}_section_{section}_{part}.csv"
