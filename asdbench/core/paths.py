"""Paths that a user names, and the folder of the cache."""

import os
import re
from pathlib import Path

from asdbench.core.errors import UsageError

CACHE_VARIABLE = "ASDBENCH_CACHE"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:/")  # one slash, as pathlib leaves it


def user_path(asked: str | Path) -> Path:
    """The path that a user means: ``~`` is the home folder, wherever it is written.

    A shell leaves ``--out=~/runs`` as it is, and files and units of systemd know no ``~`` at all.

    Raises:
        ValueError: no path can be that.
    """
    text = str(asked)
    if "\0" in text:
        raise ValueError("holds a NUL character, which no path may")
    if _ADDRESS.match(text) and not os.path.exists(text.partition("/")[0]):  # noqa: PTH110
        raise ValueError("is an address, and a place on this machine is wanted")
    expanded = os.path.expanduser(text)  # noqa: PTH111  # pathlib's raises where a user is not known
    if text.startswith("~") and expanded == text:
        name = text.partition("/")[0]
        raise ValueError(f"names a home folder that is not known, {name} (a folder of that name: ./{name})")
    return Path(expanded)


def expand_user(asked: str | Path) -> Path:
    """The path of what may be a name as well; where no user is of that name, ``~`` stays what it is."""
    return Path(os.path.expanduser(asked))  # noqa: PTH111


def path_of_variable(name: str) -> Path | None:
    """The path that an environment variable holds; None where it is not set or empty.

    Raises:
        UsageError: no path can be that.
    """
    value = os.environ.get(name)
    try:
        return user_path(value) if value else None
    except ValueError as error:
        raise UsageError(f"{name}={value} {error}.\nSet it to a folder, or unset it.") from error


def cache_root() -> Path:
    """``$ASDBENCH_CACHE``, or the user's cache folder."""
    import platformdirs

    return path_of_variable(CACHE_VARIABLE) or Path(platformdirs.user_cache_dir("asdbench", appauthor=False))
