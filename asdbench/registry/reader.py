"""Read one card; say file, key and the nearest valid key when it is wrong."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from asdbench.core.errors import did_you_mean
from asdbench.registry import cards
from asdbench.registry.cards import AnyCard
from asdbench.registry.challenge_card import ChallengeCard, ChallengeMachine, ChallengeSplit
from asdbench.registry.system_card import Published, SystemCard, SystemVariant
from asdbench.registry.toml import CardError, read_toml

MODELS: dict[str, type[AnyCard]] = {
    "datasets": cards.DatasetCard,
    "frontends": cards.FrontendCard,
    "augmentations": cards.AugmentationCard,
    "extractors": cards.ExtractorCard,
    "scorers": cards.ScorerCard,
    "steps": cards.StepCard,
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
    first = min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    key = ".".join(map(str, first["loc"]))
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
        return cards.Tune if "tune" in location[2:-1] else cards.Param
    if location[0] == "splits":
        return ChallengeMachine if "machines" in location[2:-1] else ChallengeSplit
    inner: dict[Any, type[BaseModel]] = {
        "cite": cards.Citation,
        "published": Published,
        "variants": SystemVariant,
        "downloads": cards.PublishedWeights,
        "files": cards.WeightsFile,
    }
    within = [inner[key] for key in location[:-1] if key in inner]
    return within[-1] if within and (model is SystemCard or location[0] in ("cite", "downloads")) else model
