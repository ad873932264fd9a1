"""Results that others published, each with its source: ``leaderboards/references/*.toml``."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from asdbench.core.errors import did_you_mean
from asdbench.core.validation import Model, first_error
from asdbench.leaderboard.entry import EntryError
from asdbench.pages.markdown import web_address
from asdbench.protocols import DEFINITIONS
from asdbench.registry.toml import CardError, read_toml

REFERENCES = "references"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._+:-]*$"  # of a card; it stands in a command that readers copy
Percent = Annotated[float, Field(ge=0.0, le=100.0, strict=True)]
Shown = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]  # without what a terminal obeys


class PublishedError(EntryError):
    """A published result that cannot be read."""


class Reference(Model):
    """One published system on one split of one data set."""

    system: Shown = Field(min_length=1, description="Name for people.")
    card: str | None = Field(default=None, pattern=NAME, description="System card that runs the same system here.")
    dataset: str = Field(pattern=NAME, description="Data set's card.")
    split: str = Field(pattern="^(dev|eval)$", description="dev or eval.")
    protocol: str = Field(description="Whose definition the numbers follow: the year's own.")
    year: int = Field(ge=2020, le=2100, description="Of the publication.")
    source: Shown = Field(min_length=1, description="Where the numbers stand.")
    url: str | None = Field(default=None, pattern=r"^https?://\S+$", description="Of the source.")
    official_score: Percent | None = Field(default=None, description="In percent, where one was published.")
    official_score_source: str | None = Field(default=None, description="Where that one stands.")
    section_means: bool = Field(
        default=False, description="Terms are means over sections, so the total that follows is not the official one."
    )
    machines: dict[Shown, dict[str, Percent]] = Field(
        default_factory=dict,
        description="Terms by machine type, in percent: auc (2020) or auc_source and auc_target, and pauc. Empty where "
        "a total alone was published.",
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
        if self.official_score is not None and 0 < self.official_score < 1:
            raise ValueError(f"official_score is {self.official_score}, a fraction; percent are wanted")
        accepted = terms_of(self.protocol)
        for machine, terms in self.machines.items():
            for name, value in terms.items():
                if 0 < value < 1:
                    raise ValueError(f"machines.{machine}.{name} is {value}, a fraction; percent are wanted")
                if name not in accepted:
                    hint = did_you_mean(name, accepted)
                    of_year = f"{self.protocol} has {', '.join(accepted)}"
                    raise ValueError(f"unknown key 'machines.{machine}.{name}'.{hint} {of_year}")
        return self

    @property
    def board(self) -> str:
        """The board that it stands on."""
        return f"{self.dataset}-{self.split}"

    def terms(self, machine: str) -> dict[str, float] | None:
        """One machine type's terms as fractions; None unless all of them were published."""
        published = self.machines.get(machine, {})
        names = terms_of(self.protocol)
        return {name: published[name] / 100 for name in names} if set(names) == set(published) else None

    def score_of(self, machine: str) -> float | None:
        """One machine type's score, from the published terms."""
        terms = self._counted_terms(machine)
        return None if terms is None else float(DEFINITIONS[self.protocol].of_machine(terms))

    @cached_property
    def computed_score(self) -> float | None:
        """The total from the published terms; None where some are missing."""
        by_machine = {machine: self._counted_terms(machine) for machine in self.machines}
        complete = {machine: terms for machine, terms in by_machine.items() if terms is not None}
        if not complete or len(complete) < len(by_machine):
            return None
        return float(DEFINITIONS[self.protocol].of_dataset(complete))

    def _counted_terms(self, machine: str) -> list[float] | None:
        """The terms as the official score counts them; the pAUC of 2021 stands for two, one of each domain."""
        terms = self.terms(machine)
        if terms is None:
            return None
        return [*terms.values(), *([terms["pauc"]] if self.protocol == "dcase2021" else [])]


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

    A table ``cards`` beside it names the cards that run some of them here.

    Raises:
        PublishedError: it cannot be read, a key is unknown or missing, or a total is not that of its machine types.
    """
    try:
        content: dict[str, Any] = read_toml(path)
    except CardError as error:
        raise PublishedError(str(error)) from error
    totals = content.pop("totals", None)
    cards = content.pop("cards", {}) if isinstance(totals, dict) else {}
    if totals is None:
        return {path: _reference(path, content)}
    if not isinstance(totals, dict) or not totals:
        raise PublishedError(f"{path}: totals takes a table of systems and their official scores in percent.")
    stray = sorted({*cards} - {*totals}) if isinstance(cards, dict) else ["cards"]
    if stray:
        raise PublishedError(f"{path}: cards takes a table of systems in totals and their cards, not {stray[0]!r}.")
    return {
        path / system: _reference(
            path, {**content, "system": system, "official_score": percent, "card": cards.get(system)}
        )
        for system, percent in totals.items()
    }


def read_references(board_dir: Path) -> References:
    """Every published result below ``board_dir``; one that is wrong does not hide the others."""
    references: dict[Path, Reference] = {}
    problems = []
    for path in sorted((board_dir / REFERENCES).glob("[!.]*.toml")):
        try:
            references |= load_references(path)
        except PublishedError as error:
            problems.append(str(error))
    return References(references, problems)


def _reference(path: Path, content: dict[str, Any]) -> Reference:
    try:
        reference = Reference.model_validate(content)
    except ValidationError as error:
        raise PublishedError(f"{path}: {first_error(error, Reference.model_fields)}.") from error
    published, computed = reference.official_score, reference.computed_score
    if published is not None and computed is not None and abs(100 * computed - published) > 0.02:
        raise PublishedError(f"{path}: official_score is {published}, but its machine types give {100 * computed:.2f}.")
    return reference
