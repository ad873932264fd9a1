"""asdbench: benchmark harness and leaderboard for anomalous sound detection."""

from typing import Any

__version__ = "0.1.0"

__all__ = ["__version__", "build"]


def build(name: str, /, *, kind: str | None = None, profile: str | None = None, **params: object) -> Any:
    """Build anything that the registry names, its parameters filled from the card.

    ``asdbench.build("simclr", epochs=3)``. ``kind`` ("extractors", "scorers" ...) decides when two kinds share
    the name.

    Raises:
        asdbench.core.errors.UsageError: no such name or parameter, or a value that it does not take.
    """
    from asdbench.core.errors import UsageError
    from asdbench.registry import load_catalog

    catalog = load_catalog()
    if kind is None:
        kinds = [entry.kind for entry in catalog.find_anywhere(name)]
        if len(kinds) > 1:
            raise UsageError(f"'{name}' is in {' and '.join(kinds)}. Say which: build('{name}', kind='{kinds[0]}')")
        kind = kinds[0]
    return catalog.component(kind, name, params, profile).build()
