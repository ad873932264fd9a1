"""Labels of submissions: ``<Name>_<Org>_task2_<1..4>``."""

import re
from dataclasses import dataclass

from asdbench.core.errors import UsageError

PATTERN = "<Name>_<Org>_task2_<1..4>"
_LABEL = re.compile(r"(?P<name>[A-Za-z0-9-]+)_(?P<organisation>[A-Za-z0-9-]+)_task2_(?P<number>[1-4])")


@dataclass(frozen=True)
class Label:
    """The parts of a label."""

    name: str
    organisation: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}_{self.organisation}_task2_{self.number}"

    @property
    def team(self) -> str:
        """Folder that holds a team's systems."""
        return f"{self.name}_{self.organisation}"


def parse_label(text: str) -> Label | None:
    """The label that a text is; None when it is none."""
    match = _LABEL.fullmatch(text)
    return None if match is None else Label(match["name"], match["organisation"], int(match["number"]))


def require_label(text: str) -> Label:
    """The label that a text is.

    Raises:
        UsageError: it is none.
    """
    label = parse_label(text)
    if label is None:
        raise UsageError(
            f"--label {text}: expected {PATTERN}, the corresponding author's last name, a short name of the "
            "organisation, and the system's number; for example --label Sato_NTU_task2_1"
        )
    return label
