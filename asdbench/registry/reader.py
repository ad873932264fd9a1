"""Read one card; say file, key and the nearest valid key when it is wrong."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from asdbench.core.errors import AsdbenchError, did_you_mean
from asdbench.registry.cards import KINDS, Card, Citation, Param, Tune


class CardError(AsdbenchError):
    """A card that cannot be read."""


def read_card(path: Path, kind: str) -> Card:
    """Read and validate ``<kind>/<name>.toml``.

    Raises:
        CardError: not TOML, an unknown or missing key, or a value that the key does not take.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: not a TOML file: {error}") from error
    try:
        return KINDS[kind].model_validate(data)
    except ValidationError as error:
        raise CardError(f"{path}: {_explain(error, KINDS[kind])}") from error


def _explain(error: ValidationError, model: type[Card]) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _model_at(first["loc"], model).model_fields
        hint = did_you_mean(str(first["loc"][-1]), known)
        return f"unknown key '{key}'.{hint} Accepted here: {', '.join(known)}."
    if first["type"] == "missing":
        return f"the key '{key}' is missing."
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message}." if key else f"{message}."


def _model_at(location: tuple[Any, ...], model: type[Card]) -> type[BaseModel]:
    """The model that would hold the last key of a pydantic error location."""
    if location[0] == "params":
        return Tune if "tune" in location[2:-1] else Param
    return Citation if location[0] == "cite" else model
