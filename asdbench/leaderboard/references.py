"""Results that others published, each with its source: ``leaderboards/references/*.toml``."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from asdbench.core.errors import did_you_mean
from asdbench.leaderboard.entry import EntryError, first_error
from asdbench.pages.markdown import web_address
from asdbench.protocols import DEFINITIONS
from asdbench.registry.toml import CardError, read_toml

REFERENCES = "references"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._+:-]*$"  # of a card; it stands in a command that readers copy
Percent = Annotated[float, Field(ge=0.0, le=100.0)]


class PublishedError(EntryError):
    """A published result that cannot be read."""


class PublishedTerms(BaseModel):
    """One machine type, in percent; 2020 has ``auc``, later years ``auc_source`` and ``auc_target``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    auc_source: Percent | None = None
    auc_target: Percent | None = None
    auc: Percent | None = None
    pauc: Percent | None = None


class Reference(BaseModel):
    """One published system on one split of one data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str = Field(min_length=1, description="Name for people.")
    card: str | None = Field(default=None, pattern=NAME, description="System card that runs the same system here.")
    dataset: str = Field(pattern=NAME, description="Data set's card.")
    split: str = Field(pattern="^(dev|eval)$", description="dev or eval.")
    protocol: str = Field(description="Whose definition the numbers follow: the year's own.")
    year: int = Field(ge=2020, description="Of the publication.")
    source: str = Field(min_length=1, description="Where the numbers stand.")
    url: str | None = Field(default=None, pattern=r"^https?://\S+$", description="Of the source.")
    official_score: Percent | None = Field(default=None, description="In percent, where one was published.")
    official_score_source: str | None = Field(default=None, description="Where that one stands.")
    machines: dict[str, PublishedTerms] = Field(
        default_factory=dict, description="By machine type; empty where a total alone was published."
    )

    @field_validator("protocol")
    @classmethod
    def _known(cls, protocol: str) -> str:
        if protocol not in DEFINITIONS:
            raise ValueError(f"no protocol '{protocol}'; accepted are {', '.join(DEFINITIONS)}")
        return protocol

    @field_validator("url")
    @classmethod
    def _encoded(cls, url: str | None) -> str | None:
        return None if url is None else web_address(url)

    @model_validator(mode="after")
    def _terms_of_its_year(self) -> "Reference":
        if not self.machines and self.official_score is None:
            raise ValueError("neither machines nor official_score: nothing was published")
        wanted = terms_of(self.protocol)
        for machine, terms in self.machines.items():
            told = {name for name, value in terms.model_dump().items() if value is not None}
            if not told <= set(wanted):
                raise ValueError(f"machines.{machine}: {self.protocol} has {', '.join(wanted)}, not {', '.join(told)}")
        return self

    @property
    def board(self) -> str:
        """The board that it stands on."""
        return f"{self.dataset}-{self.split}"

    def terms(self, machine: str) -> dict[str, float] | None:
        """One machine type's terms as fractions; None unless all of them were published."""
        own = self.machines.get(machine)
        values = {name: getattr(own, name) for name in terms_of(self.protocol)} if own else {}
        if not values or any(value is None for value in values.values()):
            return None
        return {name: value / 100 for name, value in values.items()}

    def score_of(self, machine: str) -> float | None:
        """One machine type's score, from the published terms."""
        terms = self._weighed(machine)
        return None if terms is None else float(DEFINITIONS[self.protocol].of_machine(terms))

    def _weighed(self, machine: str) -> list[float] | None:
        """The terms as the official score counts them; the pAUC of 2021 stands for two, one of each domain."""
        terms = self.terms(machine)
        if terms is None:
            return None
        return [*terms.values(), *([terms["pauc"]] if self.protocol == "dcase2021" else [])]

    @cached_property
    def computed_score(self) -> float | None:
        """The total from the published terms; None where some are missing."""
        parts = {machine: self._weighed(machine) for machine in self.machines}
        whole = {machine: terms for machine, terms in parts.items() if terms is not None}
        complete = whole.keys() == parts.keys() and len(whole) > 0
        return float(DEFINITIONS[self.protocol].of_dataset(whole)) if complete else None


@dataclass(frozen=True)
class References:
    """Published results by path (and system, where a file has several), and one line for each that cannot be used."""

    references: dict[Path, Reference]
    problems: list[str]


def terms_of(protocol: str) -> tuple[str, ...]:
    """The terms of which a machine type's score is made, as papers print them."""
    return ("auc", "pauc") if protocol == "dcase2020" else ("auc_source", "auc_target", "pauc")


def load_references(path: Path) -> dict[Path, Reference]:
    """The published results in a file: one, or, of a table ``totals`` (system = percent), one for each system.

    Raises:
        PublishedError: it cannot be read, a key is unknown or missing, or a total is not that of its parts.
    """
    try:
        content: dict[str, Any] = read_toml(path)
    except CardError as error:
        raise PublishedError(str(error)) from error
    totals = content.pop("totals", None)
    if totals is None:
        return {path: _reference(path, content)}
    if not isinstance(totals, dict) or not totals:
        raise PublishedError(f"{path}: totals takes a table of systems and their official scores in percent.")
    return {
        path / system: _reference(path, {**content, "system": system, "official_score": percent})
        for system, percent in totals.items()
    }


def _reference(path: Path, content: dict[str, Any]) -> Reference:
    try:
        reference = Reference.model_validate(content)
    except ValidationError as error:
        raise PublishedError(f"{path}: {_explained(error)}") from error
    told, computed = reference.official_score, reference.computed_score
    if told is not None and computed is not None and abs(100 * computed - told) > 0.02:
        raise PublishedError(f"{path}: official_score is {told}, but its parts give {100 * computed:.2f}.")
    return reference


def read_references(board_dir: Path) -> References:
    """Every published result below ``board_dir``; one that is wrong does not hide the others."""
    references: dict[Path, Reference] = {}
    problems = []
    for path in sorted((board_dir / REFERENCES).glob("*.toml")):
        if path.name.startswith("."):
            continue
        try:
            references |= load_references(path)
        except PublishedError as error:
            problems.append(str(error))
    return References(references, problems)


def _explained(error: ValidationError) -> str:
    for found in error.errors(include_url=False):
        if found["type"] == "extra_forbidden":
            key = ".".join(str(part) for part in found["loc"])
            model = PublishedTerms if len(found["loc"]) > 1 else Reference
            known = model.model_fields
            hint = did_you_mean(str(found["loc"][-1]), known)
            return f"unknown key '{key}'.{hint} Accepted here: {', '.join(known)}."
    return f"{first_error(error)}."
