"""What is wrong with a set of score files: one entry for each thing, with file and line."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal[
    "absent", "missing", "doubled", "extra", "malformed", "not-a-number", "not-finite", "constant", "unlabelled",
    "conflict", "undefined", "alike", "decisions", "ignored",
]  # fmt: skip
HARMLESS: frozenset[str] = frozenset({"alike", "constant", "decisions", "ignored"})


class Problem(BaseModel):
    """One thing that is wrong.

    Problems of a kind in ``HARMLESS`` are told and no more; each of the others makes the result a partial one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = Field(description="What sort of thing.")
    text: str = Field(description="In words.")
    file: str | None = Field(default=None, description="Name of the file.")
    line: int | None = Field(default=None, description="Line in it, from 1.")
    machine: str | None = Field(default=None, description="Machine type that it concerns.")
    section: str | None = Field(default=None, description="Section that it concerns.")

    @property
    def harmless(self) -> bool:
        """Whether the numbers are complete in spite of it."""
        return self.kind in HARMLESS

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return place + self.text
