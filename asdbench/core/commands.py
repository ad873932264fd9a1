"""Commands of ``asdbench`` that messages and pages propose."""

from shlex import quote
from typing import Any

_DEFAULTS = {"out": "runs", "board_dir": "leaderboards", "profile": "auto", "device": "auto"}


def command(verb: str, *arguments: str, **options: Any) -> str:
    """An ``asdbench`` command as a shell takes it.

    Args:
        verb: "run", "data verify".
        arguments: after it.
        options: by the names of parameters, ``p`` for ``-p``; those that are None, and values that
            commands take anyway, are left out, lists repeat theirs.
    """
    parts = ["asdbench", verb, *map(quote, arguments)]
    for name, value in options.items():
        option = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list | tuple) else [value]:
            parts += [] if one is None or str(one) == _DEFAULTS.get(name) else [option, quote(str(one))]
    return " ".join(parts)
