"""A card with settled parameters: what a run is asked to use, and how it is built."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import AsdbenchError, UsageError, did_you_mean

if TYPE_CHECKING:
    from asdbench.registry.cards import Card, Param, Value


@dataclass(frozen=True)
class Component:
    """A named thing of one kind with every parameter settled."""

    kind: str
    name: str
    card: "Card"
    params: dict[str, Any]

    @classmethod
    def settle(
        cls, kind: str, name: str, card: "Card", defaults: Mapping[str, object], values: Mapping[str, object]
    ) -> "Component":
        """Lay ``values`` (texts from the command line, or Python values) over the defaults and check them.

        Raises:
            UsageError: an unknown parameter, or a value that it does not take.
        """
        params: dict[str, Any] = dict(defaults)
        for key, value in values.items():
            if key not in card.params:
                hint = did_you_mean(key, card.params)
                raise UsageError(f"'{name}' has no parameter '{key}'.{hint} See: asdbench show {name}")
            param = card.params[key]
            try:
                params[key] = param.check(parse(param, value) if isinstance(value, str) else value)  # type: ignore[arg-type]
            except ValueError as error:
                raise UsageError(f"{name}.{key} {error}. See: asdbench show {name}") from error
        return cls(kind, name, card, params)

    def identity(self) -> dict[str, Any]:
        """All that decides what the component computes; part of every cache key."""
        return {"target": self.card.target, "version": self.card.version, "params": self.params}

    def build(self) -> Any:
        """Import the target and call it with the parameters.

        Raises:
            AsdbenchError: the target cannot be imported, or does not take the card's parameters.
        """
        module, _, attribute = self.card.target.partition(":")
        try:
            target = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise AsdbenchError(
                f"The card of '{self.name}' names the target {self.card.target}, which does not load: {error}.\n"
                f"See where it comes from: asdbench show {self.name}"
            ) from error
        return target(**self.params)


def parse(param: "Param", text: str) -> "Value":
    """Read a command-line text as the parameter's type.

    Raises:
        ValueError: the text is not of that type.
    """
    try:
        match param.type:
            case "str":
                return text
            case "strings":
                return [part.strip() for part in text.split(",") if part.strip()]
            case "bool":
                return {"true": True, "false": False}[text.casefold()]
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "any":
                return None if text == "None" else _literal(text)
    except (ValueError, KeyError):
        raise ValueError(f"takes {param.accepts()}, not '{text}'") from None


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
