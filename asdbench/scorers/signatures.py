"""A card from a library class's own signature, for scorers that need no card file."""

import inspect
from typing import Any

from asdbench.registry.cards import Param, ScorerCard


def card_from_signature(detector: type[Any], target: str, name: str) -> ScorerCard:
    """Card whose parameters are the keyword arguments of ``detector``, and ``detector`` itself.

    Arguments without a default are left out: a detector that needs one cannot be asked for by name alone.
    """
    params = {"detector": Param(default=name, type="str", choices=(name,), help="The library's class.")}
    for argument in inspect.signature(detector).parameters.values():
        if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL) or argument.name == "random_state":
            continue
        default = None if argument.default is argument.empty else argument.default
        simple = default if isinstance(default, bool | int | float | str) else None
        params[argument.name] = Param(default=simple, type="any", help="")
    summary = (inspect.getdoc(detector) or name).strip().partition("\n")[0]
    return ScorerCard(summary=summary, target=target, version=1, params=params)


def given_arguments(detector: type[Any], params: dict[str, Any], seed: int) -> dict[str, Any]:
    """Arguments for ``detector``: those that differ from its own defaults, and the seed where it takes one."""
    signature = inspect.signature(detector).parameters
    given = {
        name: value
        for name, value in params.items()
        if value is not None and (name in signature) and value != signature[name].default
    }
    if "random_state" in signature:
        given["random_state"] = seed
    return given
