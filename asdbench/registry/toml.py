"""Read TOML; the step before a card is validated, and all that listing names takes."""

import tomllib
from pathlib import Path
from typing import Any

from asdbench.core.errors import AsdbenchError


class CardError(AsdbenchError):
    """A card that cannot be read."""


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file.

    Raises:
        CardError: it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CardError(f"{path}: not a TOML file: {error}") from error
