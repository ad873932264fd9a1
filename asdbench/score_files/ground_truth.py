"""Labels and domains of test clips: from the official evaluators' folders, the baselines' lists, or file names.

- An evaluator's folder: ``ground_truth_data/ground_truth_<machine>_section_<NN>_test.csv`` with rows ``name,0|1``, and
  ``ground_truth_domain/`` alike (1 = target). 2021 has labels alone, one file for each domain. Where
  ``ground_truth_attributes/ground_truth_*.csv`` lies beside them, score files may name clips by their full names.
- A baseline's ``eval_data_list_<year>.csv``: a row with a machine type alone, then ``plain name,full name`` rows; that
  of 2020 has the label in the third column.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asdbench.core.errors import DataError, RequirementError
from asdbench.datasets.clips import Domain
from asdbench.score_files.reader import clip_name

_FILE = re.compile(r"ground_truth_(?P<machine>.+)_section_(?P<section>\d+)(?:_(?P<domain>source|target))?_test\.csv")
_SECTION = re.compile(r"(?:^|_)(?:section|id)_(\d+)")
_DOMAIN = re.compile(r"(?:^|_)(source|target)(?:_|$)")
_LABEL = re.compile(r"(?:^|_)(normal|anomaly)(?:_|$)")
Key = tuple[str, str]  # machine type, section


@dataclass(frozen=True)
class Truth:
    """What a test clip is; None where it is not told."""

    label: int | None
    domain: Domain | None


@dataclass
class GroundTruth:
    """Truth of clips by (machine type, section) and name, and the other names that they go by."""

    sections: dict[Key, dict[str, Truth]] = field(default_factory=dict)
    aliases: dict[Key, dict[str, str]] = field(default_factory=dict)


def truth_of_name(clip: str) -> Truth:
    """What a clip's own name tells: ``section_00_source_test_anomaly_0003``, ``normal_id_01_00000002``."""
    domain, label = _DOMAIN.search(clip), _LABEL.search(clip)
    return Truth(int(label[1] == "anomaly") if label else None, domain[1] if domain else None)  # type: ignore[arg-type]


def read_ground_truth(place: Path) -> GroundTruth:
    """Read an evaluator's folder (or its ``ground_truth_data``), or a baseline's list.

    Raises:
        RequirementError: there is nothing of that kind.
        DataError: rows that cannot be read; all of them are listed.
    """
    problems: list[str] = []
    if place.is_file():
        truth = _from_list(place, problems)
    else:
        root = place.parent if place.name == "ground_truth_data" else place
        labels = root / "ground_truth_data"
        lists = sorted(root.glob("eval_data_list*.csv")) if root.is_dir() else []
        if labels.is_dir():
            truth = _from_folders(root, problems)
        elif len(lists) == 1:
            truth = _from_list(lists[0], problems)
        else:
            raise RequirementError(
                f"No ground truth in {place}.\nExpected: a folder with ground_truth_data/ (and ground_truth_domain/ "
                "from 2022 on) as the official evaluators have it, or an eval_data_list_<year>.csv of a baseline."
            )
    if problems:
        raise DataError(f"The ground truth in {place} cannot be used:", problems)
    if not truth.sections:
        raise RequirementError(f"The ground truth in {place} holds no clip.")
    return truth


def _from_folders(root: Path, problems: list[str]) -> GroundTruth:
    truth = GroundTruth()
    for path, key, domain, rows in _files(root / "ground_truth_data", problems):
        for line, row in rows:
            label = _binary(path, line, row, problems)
            if label is not None:
                _add(truth, key, clip_name(row[0]), Truth(label, domain), f"{path}:{line}", problems)
    domains: dict[Key, dict[str, Domain]] = {}
    for path, key, _, rows in _files(root / "ground_truth_domain", problems):
        for line, row in rows:
            value = _binary(path, line, row, problems)
            if value is not None:
                domains.setdefault(key, {})[clip_name(row[0])] = "target" if value else "source"
    for key, known in domains.items():
        clips = truth.sections.get(key, {})
        if set(known) != set(clips):
            problems.append(f"{root}: labels and domains of {key[0]}, section {key[1]}, are not of the same clips")
            continue
        truth.sections[key] = {clip: Truth(own.label, known[clip]) for clip, own in clips.items()}
    for _, key, _, rows in _files(root / "ground_truth_attributes", problems):
        for _, row in rows:
            for full in row[1:]:
                truth.aliases.setdefault(key, {})[clip_name(full)] = clip_name(row[0])
    return truth


def _from_list(path: Path, problems: list[str]) -> GroundTruth:
    truth = GroundTruth()
    machine = ""
    for line, row in _rows(path, problems):
        if len(row) == 1 or not any(row[1:]):
            machine = row[0]
            continue
        clip, full = clip_name(row[0]), clip_name(row[1])
        section = _SECTION.search(clip)
        told = truth_of_name(full)
        named = told.label is not None
        if len(row) > 2 and not named and row[2] in ("0", "1"):
            told = Truth(int(row[2]), told.domain)
        if not machine or section is None or told.label is None:
            problems.append(f"{path}:{line}: expected 'plain name,full name' below a machine type: {','.join(row)}")
            continue
        key = (machine, section[1])
        _add(truth, key, clip, told, f"{path}:{line}", problems)
        if named:
            truth.aliases.setdefault(key, {})[full] = clip
    return truth


def _add(truth: GroundTruth, key: Key, clip: str, told: Truth, place: str, problems: list[str]) -> None:
    if truth.sections.setdefault(key, {}).setdefault(clip, told) is not told:
        problems.append(f"{place}: {clip} of {key[0]} stands twice")


def _files(folder: Path, problems: list[str]) -> Iterator[tuple[Path, Key, Domain | None, list[tuple[int, list[str]]]]]:
    for path in sorted(folder.glob("*.csv")):
        match = _FILE.fullmatch(path.name)
        if match is not None:
            yield path, (match["machine"], match["section"]), match["domain"], list(_rows(path, problems))  # type: ignore[misc]


def _rows(path: Path, problems: list[str]) -> Iterable[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{path}: cannot be read as CSV: {error}")
        return []
    return [(line, row) for line, row in enumerate(rows, 1) if any(row)]


def _binary(path: Path, line: int, row: list[str], problems: list[str]) -> int | None:
    if len(row) >= 2 and row[1] in ("0", "1"):
        return int(row[1])
    problems.append(f"{path}:{line}: expected 'name,0' or 'name,1', found {','.join(row)}")
    return None
