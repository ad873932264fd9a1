"""Read one card; say file, key and the nearest valid key when it is wrong."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from asdbench.core.errors import did_you_mean
from asdbench.registry.cards import (
    AnyCard,
    AugmentationCard,
    Citation,
    DatasetCard,
    ExtractorCard,
    FrontendCard,
    Param,
    Published,
    ScorerCard,
    StepCard,
    SystemCard,
    SystemVariant,
    Tune,
)
from asdbench.registry.challenge_card import ChallengeCard, ChallengeMachine, ChallengeSplit
from asdbench.registry.toml import CardError, read_toml

MODELS: dict[str, type[AnyCard]] = {
    "datasets": DatasetCard,
    "frontends": FrontendCard,
    "augmentations": AugmentationCard,
    "extractors": ExtractorCard,
    "scorers": ScorerCard,
    "steps": StepCard,
    "systems": SystemCard,
}


def read_card(path: Path, kind: str) -> AnyCard:
    """Read and validate ``<kind>/<name>.toml``.

    Raises:
        CardError: not TOML, an unknown or missing key, or a value that the key does not take.
    """
    content = read_toml(path)
    # A data set is either made by a target, or that of a challenge, which is found or downloaded.
    model = ChallengeCard if kind == "datasets" and "target" not in content else MODELS[kind]
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise CardError(f"{path}: {_explain(error, model)}") from error


def _explain(error: ValidationError, model: type[AnyCard]) -> str:
    # A misspelt key is also a missing one; naming the misspelling helps more.
    first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _model_at(first["loc"], model).model_fields
        hint = did_you_mean(str(first["loc"][-1]), known)
        return f"unknown key '{key}'.{hint} Accepted here: {', '.join(known)}."
    if first["type"] == "missing":
        return f"the key '{key}' is missing."
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message}." if key else f"{message}."


def _model_at(location: tuple[Any, ...], model: type[AnyCard]) -> type[BaseModel]:
    """The model that would hold the last key of a pydantic error location."""
    if location[0] == "params":
        return Tune if "tune" in location[2:-1] else Param
    if location[0] == "splits":
        return ChallengeMachine if "machines" in location[2:-1] else ChallengeSplit
    inner: dict[Any, type[BaseModel]] = {"cite": Citation, "published": Published, "variants": SystemVariant}
    within = [inner[part] for part in location[:-1] if part in inner]
    return within[-1] if within and (model is SystemCard or location[0] == "cite") else model
