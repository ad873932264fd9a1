"""What is in a detector's file: a zip of these members, nothing of which is pickled.

- ``detector.json``: this schema.
- ``extractors/<member>/<number>/``: what each fit saved (safetensors and JSON).
- ``files/<digest>/<name>``: copies of files that parameters name, weights for instance.
- ``machines/<number>.safetensors``: of a machine type's training clips the embeddings by member (``rows.0``, float32
  (n, dim)), the scores by section (``scores.<section>``, float64 (n,)), and what explanations compare with.
- ``machines/<number>.json``: what is known of these clips, in the same order.
- ``digests.json``: SHA-256 of all these.
"""

from math import isfinite
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from asdbench.core.validation import Model
from asdbench.harness.record import UsedComponent, UsedThreshold

FILE = "detector.json"
SCHEMA = 1


class Part(UsedComponent):
    """A component that scoring needs, and what it was when the detector was fitted."""

    identity: dict[str, Any] = Field(description="Target, version, parameters; the digest of a third party's code.")
    plugin: str | None = Field(description="Folder of the third party's code when it was fitted; None: asdbench's own.")
    copies: dict[str, str | list[str]] = Field(
        default_factory=dict, description="Copies of the files that parameters name, within this file, by parameter."
    )


class SavedFit(Model):
    """The trained extractor of a machine type."""

    number: int = Field(ge=0, description="Of its folder; machine types may share one.")
    seed: int = Field(description="Seed that the extractor is given.")


class Member(Model):
    """An extractor with a scorer; an ensemble has several."""

    extractor: Part
    frontend: Part
    scorer: Part
    fits: dict[str, SavedFit] = Field(min_length=1, description="By machine type.")


class Machine(Model):
    """One machine type."""

    number: int = Field(ge=0, description="Of its files.")
    clips: int = Field(description="Healthy clips that it was fitted on.")
    clip_s: float = Field(description="Median length of those clips, in seconds.")
    examples: list[str] = Field(
        default_factory=list, description="Names of the healthy clips that explanations compare with."
    )
    thresholds: dict[str, UsedThreshold] = Field(min_length=1, description="By section.")


class DetectorFile(Model):
    """``detector.json``."""

    schema_version: Literal[1] = Field(default=1, description="Raised when this schema changes.")
    asdbench: str = Field(description="Version that wrote it.")
    name: str = Field(description="The system's card, or extractor and scorer.")
    dataset: str = Field(description="Name of the recordings that it was fitted on.")
    fingerprint: str = Field(description="Digest of those recordings and their names.")
    seed: int = Field(description="Base seed.")
    device: str = Field(description="That it was fitted on: cpu or cuda.")
    threads: int = Field(description="Of one training on the CPU.")
    members: list[Member] = Field(min_length=1)
    combine: Part | None = Field(default=None, description="Of an ensemble what makes one score of its members'.")
    machines: dict[str, Machine] = Field(min_length=1, description="By machine type.")
    notes: list[str] = Field(default_factory=list, description="What the user should know of the fit.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name, machine in self.machines.items():
            if any(name not in member.fits for member in self.members):
                raise ValueError(f"no fit of {name}")
            if not all(isfinite(used.value) for used in machine.thresholds.values()):
                raise ValueError(f"a threshold of {name} is not a number")
        return self
