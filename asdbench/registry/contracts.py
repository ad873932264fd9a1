"""What the code behind a card must have: arguments for the card's parameters, and the methods that are called."""

import inspect
from collections.abc import Collection
from typing import Any

from asdbench.core.errors import did_you_mean
from asdbench.core.faults import source_location

# What is called of each kind, what is read, and where an author finds it.
METHODS = {
    "extractors": ("fit", "embed", "save", "load"),
    "scorers": ("fit", "score", "training_scores"),
    "steps": ("around",),
    "augmentations": ("__call__",),
    "frontends": ("__call__",),
}
ATTRIBUTES = {
    "extractors": ("needs_fit", "curves", "parameter_count", "notes"),
    "scorers": ("notes",),
    "augmentations": ("works_on",),
    "frontends": ("sample_rate_hz", "channel", "frame_rate_hz", "min_samples"),
}
BASES = {
    "extractors": "a subclass of asdbench.extractors.Extractor has them",
    "scorers": "a subclass of asdbench.scorers.Scorer whose __init__ calls super().__init__() has them",
    "steps": "see asdbench.scorers.steps.Step",
    "augmentations": "see asdbench.augmentations.Augmentation",
    "frontends": "see asdbench.frontends.Frontend",
}
VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def misfits(target: Any, params: Collection[str]) -> list[str]:
    """How the arguments of a constructor differ from a card's parameters, a sentence each; empty when they agree."""
    if not callable(target):
        return [f"the target is no class but of the type {type(target).__name__}"]
    try:
        arguments = inspect.signature(target).parameters
    except (TypeError, ValueError):  # of a C extension
        return []
    by_name = {name: argument for name, argument in arguments.items() if argument.kind not in VARIADIC}
    takes_any = any(argument.kind is inspect.Parameter.VAR_KEYWORD for argument in arguments.values())
    faults = [
        f"the card's parameter '{name}' is no argument of {_called(target)}.{did_you_mean(name, by_name)}".rstrip(".")
        for name in params
        if name not in by_name and not takes_any
    ]
    for name, argument in by_name.items():
        if argument.kind is inspect.Parameter.POSITIONAL_ONLY:
            faults.append(f"the argument '{name}' of {_called(target)} cannot be given by name")
        elif argument.default is inspect.Parameter.empty and name not in params:
            faults.append(f"{_called(target)} asks for '{name}', which is no parameter of the card")
    return faults


def abstract_methods(target: Any) -> str:
    """Which methods a class has yet to be given, as a sentence; "" when it has all."""
    names = sorted(getattr(target, "__abstractmethods__", ()))
    return f"{_called(target)} has no {' and no '.join(names)}" if names else ""


def missing(kind: str, built: Any) -> str:
    """What an object lacks of what is called, as a sentence; "" when nothing is missing."""
    methods = ("require", "look_up") if hasattr(built, "look_up") else METHODS.get(kind, ())
    names = [name for name in methods if not callable(getattr(built, name, None))]
    names += [name for name in ATTRIBUTES.get(kind, ()) if not hasattr(built, name)]
    return f"{_called(type(built))} has no {' and no '.join(names)}; {BASES[kind]}" if names else ""


def _called(target: Any) -> str:
    place = source_location(target)
    return getattr(target, "__name__", str(target)) + (f" ({place})" if place else "")
