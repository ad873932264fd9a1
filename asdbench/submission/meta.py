"""The meta file of a submission, ``<label>.meta.yaml``, as the challenges from 2022 on ask for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Text = str | None


class Part(BaseModel):
    """Base of all parts; keys that we do not know are kept, as they differ between years."""

    model_config = ConfigDict(extra="allow")


class Affiliation(Part):
    """Where an author works."""

    institution: Text = None
    department: Text = None
    location: Text = None


class Author(Part):
    """One author."""

    firstname: Text = None
    lastname: Text = None
    email: Text = None
    corresponding: bool = False
    affiliation: Affiliation = Affiliation()


class Submission(Part):
    """Who submits what."""

    label: str
    name: Text = None
    abbreviation: Text = None
    authors: list[Author] = Field(default_factory=list)


class Description(Part):
    """The system in the organisers' words; None where it does not apply."""

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


class Complexity(Part):
    """How large the system is."""

    total_parameters: int | float | None = None
    MACS: Any = None


class System(Part):
    """The system."""

    description: Description
    complexity: Complexity
    external_datasets: Any = None
    source_code: Any = None


class Results(Part):
    """Results on the development data, in percent, by machine type."""

    development_dataset: dict[str, dict[str, float | None] | None]


class Meta(Part):
    """A whole meta file."""

    submission: Submission
    system: System
    results: Results


def write_meta(meta: Meta) -> str:
    """The YAML text of a meta file; what is not known is ``null``."""
    import yaml

    return yaml.safe_dump(meta.model_dump(), sort_keys=False, allow_unicode=True, width=100)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ValueError: it is no YAML; the message tells the line.
    """
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
