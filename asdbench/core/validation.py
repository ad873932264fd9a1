"""What is stored in a file: the base of its schema, and what pydantic finds wrong with it, in one line."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, ValidationError

from asdbench.core.errors import did_you_mean


class Model(BaseModel):
    """Base of what is stored: frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def first_error(error: ValidationError, known: Iterable[str] = ()) -> str:
    """The first thing that is wrong, and where, without a full stop.

    Args:
        error: of a model.
        known: keys of the model, where an unknown key is to be named with those that are accepted.
    """
    # A misspelt key is also a missing one; naming the misspelling helps more.
    first = min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    place, known = ".".join(map(str, first["loc"])), list(known)
    if known and first["type"] == "extra_forbidden":
        return f"unknown key '{place}'.{did_you_mean(place, known)} Accepted here: {', '.join(known)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
