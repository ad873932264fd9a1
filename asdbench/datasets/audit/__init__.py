"""The audit of a data set: read every recording and report everything that is wrong with it."""

import re
from dataclasses import dataclass
from pathlib import Path

from asdbench.core.progress import Progress
from asdbench.datasets.audit.checks import attributes, completeness, names, not_checked, repeats
from asdbench.datasets.audit.conflicts import conflicts
from asdbench.datasets.audit.findings import Finding, Place, Row, rows
from asdbench.datasets.audit.sounds import for_each, read_sound, sounds
from asdbench.datasets.inventory import Inventory

__all__ = ["Audit", "Finding", "Place", "verify"]

_ABOUT = {
    "dev": re.compile(r"\bdev(elopment)?\b", re.IGNORECASE),
    "eval": re.compile(r"\beval(uation)?\b", re.IGNORECASE),
}


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    Attributes:
        inventory: what was looked at.
        rows: one for each machine type and section.
        findings: everything that is wrong, errors first, then by machine type.
        not_checked: what could not be checked, one line each.
        known_problems: what the card says is wrong with this split, by a short name.
        seconds: length of all readable recordings together (s).
    """

    inventory: Inventory
    rows: list[Row]
    findings: list[Finding]
    not_checked: list[str]
    known_problems: dict[str, str]
    seconds: float

    @property
    def errors(self) -> int:
        """Number of findings that are errors."""
        return sum(one.level == "error" for one in self.findings)

    @property
    def warnings(self) -> int:
        """Number of findings that are warnings."""
        return len(self.findings) - self.errors


def verify(inventory: Inventory, jobs: int, progress: Progress, ground_truth: Path | None = None) -> Audit:
    """Read everything and report what is wrong; a finding never stops the audit.

    Args:
        inventory: what lies there.
        jobs: threads that read.
        progress: where the reading is shown.
        ground_truth: folder or file with the evaluation data's labels, to be compared.

    Raises:
        DataError: the ground truth is not there or cannot be read.
    """
    about_truth = [] if ground_truth is None else list(conflicts(inventory, ground_truth))  # soon done
    paths = [one.path for one in inventory.recordings]
    read = dict(zip(paths, for_each(read_sound, paths, jobs, progress, f"reading {inventory.name}"), strict=True))
    headers = {path: sound.header for path, sound in read.items()}
    findings = [
        *completeness(inventory),
        *names(inventory),
        *attributes(inventory),
        *repeats(inventory, {path: sound.digest for path, sound in read.items()}),
        *sounds(inventory, read),
        *about_truth,
    ]
    return Audit(
        inventory,
        rows(inventory, headers),
        sorted(findings, key=lambda one: (one.level != "error", one.machine)),
        not_checked(inventory),
        _known_problems(inventory),
        sum(header.seconds for header in headers.values() if header is not None),
    )


def _known_problems(inventory: Inventory) -> dict[str, str]:
    """The card's problems, without those that speak of the other split only."""
    problems = {}
    for name, text in inventory.card.problems.items() if inventory.card else ():
        about = {split for split, pattern in _ABOUT.items() if pattern.search(text)}
        if not about or inventory.split in about:
            problems[name] = text
    return problems
