"""Things that are composed of others under one name, with the parameters of all their parts."""

from dataclasses import dataclass
from typing import Any

from asdbench.registry.components import Component


@dataclass(frozen=True)
class Composite(Component):
    """A component made of parts: ``params`` hold those of all parts, ``parts`` the parts as their cards give them."""

    parts: tuple[Component, ...] = ()

    def key_of(self, part: Component, param: str) -> str:
        """What a part's parameter is called here."""
        return f"{part.name}.{param}"

    def settings(self, name: str, param: str) -> list[str]:
        """What the parameter of the part of that name, or of a part of a part, is called here."""
        found = []
        for part in self.parts:
            if part.name == name:
                found.append(self.key_of(part, param))
            elif isinstance(part, Composite):
                found += [self.key_of(part, key) for key in part.settings(name, param)]
        return list(dict.fromkeys(found))

    def settings_of(self, name: str) -> list[str]:
        """What all parameters of the part of that name, or of a part of a part, are called here.

        "frontend" names the front ends of all members.
        """
        found = []
        for part in self.parts:
            if part.name == name or (name == "frontend" and part.kind == "frontends"):
                found += [self.key_of(part, key) for key in part.card.params]
            elif isinstance(part, Composite):
                found += [self.key_of(part, key) for key in part.settings_of(name)]
        return list(dict.fromkeys(found))

    def settings_of_kind(self, kind: str, param: str) -> list[str]:
        """What the parameter is called here, for every part of the kind that has it."""
        return [self.key_of(part, param) for part in self.parts if part.kind == kind and param in part.card.params]

    def settled(self) -> list[Any]:
        """The parts with the parameters of the whole."""
        return [
            part.altered({key: self.params[self.key_of(part, key)] for key in part.card.params}) for part in self.parts
        ]

    @classmethod
    def of(cls, kind: str, name: str, card: Any, parts: tuple[Component, ...]) -> "Composite":
        """Parts under one name, with the parameters that they have."""
        empty = cls(kind, name, card, {}, None, parts)
        values = {empty.key_of(part, key): value for part in parts for key, value in part.params.items()}
        return cls(kind, name, card, values, None, parts)
