"""Read TOML; the step before a card is validated, and all that listing names takes."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asdbench.core.errors import AsdbenchError

DEEPEST = 32  # tables and arrays within each other; a card needs five


class CardError(AsdbenchError):
    """A card that cannot be read."""


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file.

    Raises:
        CardError: it is not TOML.
    """
    try:
        return parse_toml(_text(path))
    except OSError as error:
        raise CardError(f"{path}: it cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise CardError(f"{path}: not a TOML file: {error}") from error


def parse_toml(text: str) -> dict[str, Any]:
    """Content of a text in TOML.

    Raises:
        ValueError: it is not TOML, or holds what nobody can work with: a depth at which readers end, a number that
            TOML does not promise.
    """
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    for key, value, depth in _values(content):
        if depth > DEEPEST:
            raise ValueError(f"'{key}' is nested more than {DEEPEST} deep")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"'{key}' is a whole number beyond 64 bits")
    return content


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError("it is no file")
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"a byte is no UTF-8 (line {line}): {error.object[error.start]:#04x}") from error


def _values(content: dict[str, Any]) -> Iterator[tuple[str, Any, int]]:
    """Every value within, with the outermost key and its depth; does not recurse, however deep it is."""
    left = [(key, value, 1) for key, value in content.items()]
    while left:
        key, value, depth = left.pop()
        yield key, value, depth
        if depth <= DEEPEST:
            inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            left += [(key, one, depth + 1) for one in inner]
