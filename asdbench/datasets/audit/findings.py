"""What an audit finds wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Place:
    """A file that a finding is about.

    Attributes:
        file: path below the data set's folder.
        note: what is the matter with this one, where the files differ in it.
    """

    file: str
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one machine type, and all files that show it.

    Attributes:
        kind: short name, the same for the same kind of fault ("leak", "count").
        level: an "error" makes results wrong or runs impossible; a "warning" is to be looked at.
        machine: machine type; several are joined by " and "; empty when it is the data set as a whole.
        section: section number; empty when it is all of the machine type.
        message: what is wrong, without the machine and section.
        files: the files, in order.
    """

    kind: str
    level: Level
    machine: str
    section: str
    message: str
    files: tuple[Place, ...] = ()

    @property
    def machines(self) -> list[str]:
        """Machine types that it is about."""
        return self.machine.split(" and ") if self.machine else []

    @property
    def where(self) -> str:
        """Machine and section as people write them."""
        return f"{self.machine} section {self.section}" if self.section else self.machine


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by machine; the checks' own order within."""
    return sorted(findings, key=lambda one: (one.level != "error", one.machine))


def counted(number: int, one: str, many: str | None = None) -> str:
    """``"1 recording"``, ``"2 recordings"``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
