"""A scorer behind steps, under one name: ``whiten+knn``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from asdbench.registry.components import Component

if TYPE_CHECKING:
    from asdbench.registry.cards import ScorerCard

MARK = "+"


def parts_of(name: str) -> list[str]:
    """Names of the steps, outermost first, and of the scorer, which is last; of a scorer alone just that."""
    return name.split(MARK)


def setting(name: str, part: str, param: str) -> str:
    """What a part's parameter is called in the chain ``name``: those of a step carry its name in front."""
    return param if part == parts_of(name)[-1] else f"{part}.{param}"


def chained_card(parts: Mapping[str, "ScorerCard"]) -> "ScorerCard":
    """One card for steps and a scorer, by their names; the scorer, the last, decides what it is fitted on."""
    name = MARK.join(parts)
    *steps, scorer = parts.values()
    params = {setting(name, part, key): param for part, card in parts.items() for key, param in card.params.items()}
    changed = {
        "summary": " ".join(card.summary for card in (*steps, scorer)),
        "description": "",
        "version": sum(card.version for card in parts.values()),  # changes when any of them does
        "params": params,
        "variants": {},
        "profiles": {},
        "cite": tuple(cite for card in parts.values() for cite in card.cite),
    }
    return scorer.model_copy(update=changed)


@dataclass(frozen=True)
class Chain(Component):
    """Steps around a scorer. ``params`` hold those of all parts, ``parts`` the parts as their cards give them."""

    parts: tuple[Component, ...] = ()

    def _settled(self) -> list[Component]:
        return [
            part.altered({key: self.params[setting(self.name, part.name, key)] for key in part.card.params})
            for part in self.parts
        ]

    def identity(self, stage: Literal["fit", "embed"] = "embed") -> dict[str, Any]:
        """Name and identity of every part, in their order."""
        return {"chain": [[part.name, part.identity(stage)] for part in self._settled()]}

    def build(self) -> Any:
        """The scorer with the steps around it.

        Raises:
            AsdbenchError: a target cannot be imported.
        """
        *steps, scorer = self._settled()
        make: Callable[[], Any] = scorer.build
        for step in reversed(steps):
            make = partial(step.build().around, make)
        return make()
