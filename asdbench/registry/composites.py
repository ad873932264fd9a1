"""Components that are composed of others under one name, with the parameters of all of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from asdbench.core.errors import UsageError
from asdbench.core.faults import reported_as
from asdbench.registry.components import Component

if TYPE_CHECKING:
    from asdbench.registry.cards import ScorerCard

PLUS = "+"  # between steps, and before the scorer


@dataclass(frozen=True)
class Composite(Component):
    """Several components under one name: ``params`` hold those of all, ``parts`` are the components by themselves."""

    parts: tuple[Component, ...] = ()

    @property
    def all_parts(self) -> Iterator[Component]:
        """The component, and those that it is composed of."""
        yield self
        for part in self.parts:
            yield from part.all_parts

    def key_of(self, part: Component, param: str) -> str:
        """The name of a part's parameter here."""
        return f"{part.name}.{param}"

    def keys_of(self, name: str, param: str | None = None) -> list[str]:
        """The names here of one or all parameters of the part of that name, or of a part of a part.

        "frontend" means the front ends of all members that have the parameter.
        """
        keys = []
        for part in self.parts:
            if part.name == name or (name == "frontend" and part.kind == "frontends"):
                wanted = part.card.params if param is None else [param]
                keys += [self.key_of(part, key) for key in wanted if part.name == name or key in part.card.params]
            elif isinstance(part, Composite):
                keys += [self.key_of(part, key) for key in part.keys_of(name, param)]
        return list(dict.fromkeys(keys))

    def settled(self) -> list[Any]:
        """The parts with the parameters of the whole."""
        return [
            part.altered({key: self.params[self.key_of(part, key)] for key in part.card.params}) for part in self.parts
        ]

    @classmethod
    def of(cls, kind: str, name: str, card: Any, parts: Sequence[Component], **more: Any) -> "Composite":
        """Components under one name, with the parameters that they have."""
        empty = cls(kind, name, card, {}, None, tuple(parts))
        values = {empty.key_of(part, key): value for part in parts for key, value in part.params.items()}
        return cls(kind, name, card, values, None, tuple(parts), **more)


def names_in_chain(name: str) -> list[str]:
    """Names of the steps, outermost first, and of the scorer, which is last; of a scorer alone just that.

    Raises:
        UsageError: a step is named twice.
    """
    names = name.split(PLUS)
    if len(set(names)) < len(names):
        raise UsageError(f"'{name}' takes a step twice. A step stands once in front of a scorer.")
    return names


@dataclass(frozen=True)
class Chain(Composite):
    """Steps around a scorer under one name (``whiten+knn``); the scorer, the last, keeps its parameters' names."""

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
    cards: list[Any] = [part.card for part in parts]
    empty = Chain("scorers", "", cards[-1], {}, None, tuple(parts))
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
