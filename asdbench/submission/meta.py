"""Labels of submissions, ``<Name>_<Org>_task2_<1..4>``, and the meta file that the challenges ask for since 2022."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from asdbench.core.errors import UsageError

PATTERN = "<Name>_<Org>_task2_<1..4>"
Text = str | None


@dataclass(frozen=True)
class Label:
    """The fields of a label."""

    name: str
    organisation: str
    number: int

    def __str__(self) -> str:
        return f"{self.team}_task2_{self.number}"

    @property
    def team(self) -> str:
        """Folder that holds a team's systems."""
        return f"{self.name}_{self.organisation}"


def parse_label(text: str) -> Label | None:
    """The label that a text is; None when it is none."""
    match = re.fullmatch(r"([A-Za-z0-9-]+)_([A-Za-z0-9-]+)_task2_([1-4])", text)
    return None if match is None else Label(match[1], match[2], int(match[3]))


def require_label(text: str) -> Label:
    """The label that a text is. Raises UsageError: it is none."""
    label = parse_label(text)
    if label is None:
        raise UsageError(
            f"--label {text}: expected {PATTERN}, the corresponding author's last name, a short name of the "
            "organisation, and the system's number; for example --label Sato_NTU_task2_1"
        )
    return label


class Extensible(BaseModel, extra="allow"):
    """Keys that we do not know stay, as they differ between years."""


class Affiliation(Extensible):
    """Where an author works."""

    institution: Text = None
    department: Text = None
    location: Text = None


class Author(Extensible):
    """One author."""

    firstname: Text = None
    lastname: Text = None
    email: Text = None
    corresponding: bool = False
    affiliation: Affiliation = Affiliation()


class Submission(Extensible):
    """Who submits what."""

    label: str
    name: Text = None
    abbreviation: Text = None
    authors: list[Author] = Field(default_factory=list)


class Description(Extensible):
    """The system as the organisers describe it; None where it does not apply."""

    input_sampling_rate: Any = None
    data_augmentation: Any = None
    front_end: Any = None
    acoustic_features: Any = None
    embeddings: Any = None
    machine_learning_method: Any = None
    aggregation_method: Any = None
    domain_adaptation_method: Any = None
    domain_generalization_method: Any = None
    ensemble_method_subsystem_count: int | None = None
    decision_making: Any = None
    attribute_usage: Any = None
    external_data_usage: Any = None
    development_data_usage: Any = None


class Complexity(Extensible):
    """How large the system is."""

    total_parameters: int | float | None = None
    MACS: Any = None


class System(Extensible):
    """The system."""

    description: Description
    complexity: Complexity
    external_datasets: Any = None
    source_code: Any = None


class Results(Extensible):
    """Results on the development data, in percent, by machine type."""

    development_dataset: dict[str, dict[str, float | None] | None]


class Meta(Extensible):
    """A whole meta file."""

    submission: Submission
    system: System
    results: Results

    def yaml(self) -> str:
        """The text of the file; what is not known is ``null``."""
        import yaml

        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True, width=100)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises ValueError: it is no YAML; the message names the line."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``over`` laid on it, mapping by mapping."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result
