"""The audit: read every recording of a data set and say everything that is wrong with it."""

import re
from dataclasses import dataclass
from pathlib import Path

from asdbench.core.progress import Progress
from asdbench.datasets.audit.checks import attributes, completeness, names, not_checked, repeats
from asdbench.datasets.audit.conflicts import conflicts
from asdbench.datasets.audit.findings import Finding, ordered
from asdbench.datasets.audit.holdings import Holdings
from asdbench.datasets.audit.sounds import for_each, listen, sounds
from asdbench.datasets.audit.summary import Row, rows

_ABOUT = {
    "dev": re.compile(r"\bdev(elopment)?\b", re.IGNORECASE),
    "eval": re.compile(r"\beval(uation)?\b", re.IGNORECASE),
}


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        holdings: what was looked at.
        rows: one for each machine type and section.
        findings: everything that is wrong, errors first.
        not_checked: what nothing could be said of, one line each.
        known_problems: what the card says is wrong with this split, by a short name.
        seconds: length of all readable recordings together (s).
    """

    holdings: Holdings
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


def verify(holdings: Holdings, jobs: int, progress: Progress, ground_truth: Path | None = None) -> Audit:
    """Read everything and report what is wrong; a finding never stops the audit.

    Args:
        holdings: what lies there.
        jobs: threads that read.
        progress: where the reading is shown.
        ground_truth: folder or file with the evaluation data's labels, to be compared.

    Raises:
        DataError: the ground truth is not there or cannot be read.
    """
    about_truth = [] if ground_truth is None else list(conflicts(holdings, ground_truth))  # it is soon done
    paths = [one.path for one in holdings.recordings]
    heard = dict(zip(paths, for_each(listen, paths, jobs, progress, f"reading {holdings.name}"), strict=True))
    headers = {path: one.header for path, one in heard.items()}
    findings = [
        *completeness(holdings),
        *names(holdings),
        *attributes(holdings),
        *repeats(holdings, heard),
        *sounds(holdings, heard),
        *about_truth,
    ]
    return Audit(
        holdings,
        rows(holdings, headers),
        ordered(findings),
        not_checked(holdings),
        known_problems(holdings),
        sum(header.seconds for header in headers.values() if header is not None),
    )


def known_problems(holdings: Holdings) -> dict[str, str]:
    """The card's problems, without those that speak of the other split only."""
    if holdings.card is None or holdings.split is None:
        return {}
    found = {}
    for name, text in holdings.card.problems.items():
        about = {split for split, pattern in _ABOUT.items() if pattern.search(text)}
        if not about or holdings.split in about:
            found[name] = text
    return found
