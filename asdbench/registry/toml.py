"""Read TOML; the step before a card is validated, and all that listing names takes."""

import tomllib
from pathlib import Path
from typing import Any

from asdbench.core.errors import AsdbenchError

DEEPEST = 32  # tables and arrays within each other; a card needs five


class CardError(AsdbenchError):
    """A card that cannot be read."""


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file. Raises CardError: it is not TOML."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait
            raise ValueError("it is no file")
        return parse_toml(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise CardError(f"{path}: it cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = f"{error.object[error.start]:#04x}"
        raise CardError(f"{path}: not a TOML file: a byte is no UTF-8 (line {line}): {byte}") from error
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
    for key, value in content.items():
        _require_usual(key, value, 1)
    return content


def _require_usual(key: str, value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"'{key}' is nested more than {DEEPEST} deep")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"'{key}' is a whole number beyond 64 bits")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_usual(key, inner, depth + 1)
