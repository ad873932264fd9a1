"""Labels and domains of test clips by section: from ground truth files, or from the clips' own names."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from asdbench.core.errors import DataError
from asdbench.datasets.clips import Domain
from asdbench.datasets.ground_truths import read_ground_truths, told_by_name

_SECTION = re.compile(r"(?:^|_)(?:section|id)_([0-9]+)")
Key = tuple[str, str]  # machine type, section


@dataclass(frozen=True)
class Truth:
    """What a test clip is; None where it is not told."""

    label: int | None
    domain: Domain | None


@dataclass
class GroundTruth:
    """Truth of clips by (machine type, section) and name, and the names in full that stand for them.

    ``kind`` says which files it is from, as ``asdbench.datasets.ground_truths`` calls them.
    """

    kind: str = ""
    sections: dict[Key, dict[str, Truth]] = field(default_factory=dict)
    aliases: dict[Key, dict[str, str]] = field(default_factory=dict)


def truth_of_name(clip: str) -> Truth:
    """What a clip's own name tells: ``section_00_source_test_anomaly_0003``, ``normal_id_01_00000002``."""
    label, domain = told_by_name(clip)
    if label is None and (own := re.search(r"_(source|target)(?:_test)?_[0-9]+$", clip)):  # 2021, without label
        domain = own[1]  # type: ignore[assignment]
    return Truth(label, domain)


def read_ground_truth(place: Path, year: int | None = None) -> GroundTruth:
    """Read an official evaluator's folder, or a baseline's ``eval_data_list_<year>.csv``.

    Where there are several kinds, the evaluator's ``ground_truth_data`` and ``ground_truth_domain`` count, as in the
    official score.

    Raises:
        DataError: there is no ground truth, rows that cannot be read, or labels without the domains that others have.
    """
    kinds = read_ground_truths(place, None, year)
    kind, first = next(iter(kinds.items()))
    truth = GroundTruth(kind)
    problems = []
    with_domains = {_key(clip) for clip in first.domains}
    for clip in sorted(first.clips):
        label, domain = first.labels.get(clip), first.domains.get(clip)
        if label is None or (domain is None and _key(clip) in with_domains):
            problems.append(f"{clip[1]} of {clip[0]} has {'no label' if label is None else 'a label but no domain'}")
        truth.sections.setdefault(_key(clip), {})[clip[1]] = Truth(label, domain)
    if problems:
        raise DataError(f"The ground truth in {place} cannot be used:", problems)
    for other in kinds.values():
        for (machine, full), clip_of in other.aliases.items():
            truth.aliases.setdefault(_key((machine, clip_of)), {})[full] = clip_of
    return truth


def section_of_name(clip: str) -> str | None:
    """The section, or machine id, that a clip's name tells."""
    section = _SECTION.search(clip)
    return section[1] if section else None


def _key(clip: tuple[str, str]) -> Key:
    """Machine type and section of a clip, whose name tells the section."""
    machine, name = clip
    section = section_of_name(name)
    if section is None:
        raise DataError(f"The ground truth names a clip '{name}' of {machine}, whose name tells no section.")
    return machine, section
