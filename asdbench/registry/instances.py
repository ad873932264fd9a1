"""Objects of the user's own in the place of names: a component that copies the object where others are built."""

import copy
import json
import uuid
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from asdbench.registry.components import Component

if TYPE_CHECKING:
    from asdbench.registry.cards import Card


@dataclass(frozen=True)
class InstanceComponent(Component):
    """An object that was given in the place of a name.

    Each build is a copy of its own. The object may hold anything, so no two runs are taken to have used the same one:
    nothing that it computes is ever taken from the cache.
    """

    instance: object = None
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def target(self) -> str:
        """The object's class."""
        return f"{type(self.instance).__module__}:{type(self.instance).__qualname__}"

    def identity(self, stage: Literal["fit", "embed"] = "embed") -> dict[str, Any]:
        """Unlike that of any other object."""
        return {"instance": self.token}

    def build(self) -> Any:
        """A copy of the object, with the methods that the harness calls.

        Raises:
            UsageError: the object has not got what its place needs.
        """
        module, _, function = self.card.target.partition(":")
        return getattr(import_module(module), function)(copy.deepcopy(self.instance))


def of_instance(kind: str, name: str, card: "Card", instance: object) -> InstanceComponent:
    """The component of an object; its parameters, where it states them as scikit-learn's do, are recorded."""
    params = instance.get_params(deep=False) if hasattr(instance, "get_params") else {}
    return InstanceComponent(kind, name, card, {key: _plain(value) for key, value in params.items()}, None, instance)


def card_of_instance(kind: str, instance: object) -> "Card":
    """A card without parameters."""
    from asdbench.registry.cards import ExtractorCard, ScorerCard

    summary = f"An object of the class {type(instance).__module__}.{type(instance).__qualname__}."
    if kind == "scorers":
        return ScorerCard(summary=summary, target="asdbench.scorers.instances:as_scorer", version=1)
    target = "asdbench.extractors.instances:as_extractor"
    return ExtractorCard(summary=summary, target=target, version=1, fit_on="dataset")


def _plain(value: Any) -> Any:
    """The value where JSON takes it, else as text."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return repr(value)
    return value
