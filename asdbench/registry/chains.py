"""A scorer behind steps, under one name: ``whiten+knn``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from asdbench.core.errors import UsageError
from asdbench.core.faults import reported_as
from asdbench.registry.components import Component
from asdbench.registry.composites import Composite

if TYPE_CHECKING:
    from asdbench.registry.cards import ScorerCard

MARK = "+"


def parts_of(name: str) -> list[str]:
    """Names of the steps, outermost first, and of the scorer, which is last; of a scorer alone just that.

    Raises:
        UsageError: a step is named twice.
    """
    parts = name.split(MARK)
    if len(set(parts)) < len(parts):
        raise UsageError(f"'{name}' takes a step twice. A step stands once in front of a scorer.")
    return parts


@dataclass(frozen=True)
class Chain(Composite):
    """Steps around a scorer, the last of the parts, whose parameters keep their names."""

    def key_of(self, part: Component, param: str) -> str:
        """The parameter's own name for the scorer; that of a step has the step's name in front."""
        return param if part.kind == "scorers" else f"{part.name}.{param}"

    def identity(self, stage: Literal["fit", "embed"] = "embed") -> dict[str, Any]:
        """Name and identity of every part, in their order."""
        return {"chain": [[part.name, part.identity(stage)] for part in self.settled()]}

    def build(self) -> Any:
        """The scorer with the steps around it.

        Raises:
            AsdbenchError: a target cannot be imported, or is no step; a step raises something.
        """
        *steps, scorer = self.settled()
        make: Callable[[], Any] = scorer.build
        for step in reversed(steps):
            make = partial(step.build().around, make)
        with reported_as(f"The steps of '{self.name}' cannot be put around its scorer"):
            return make()


def chained_card(parts: Sequence[Component]) -> "ScorerCard":
    """One card for steps and a scorer; the scorer, the last, decides what it is fitted on."""
    name = MARK.join(part.name for part in parts)
    cards: list[Any] = [part.card for part in parts]
    empty = Chain("scorers", name, cards[-1], {}, None, tuple(parts))
    changed = {
        "summary": " ".join(card.summary for card in cards),
        "description": "",
        "version": sum(card.version for card in cards),  # changes when any of them does
        "params": {empty.key_of(part, key): param for part in parts for key, param in part.card.params.items()},
        "variants": {},
        "profiles": {},
        "cite": tuple(cite for card in cards for cite in card.cite),
    }
    card: ScorerCard = cards[-1].model_copy(update=changed)
    return card
