"""No place on anybody's disk goes into an entry that is published: of a path its last part is kept."""

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

_ROOT = r"(?:~[\w-]*|[A-Za-z]:)?[/\\]"
_WHOLE = re.compile(rf"^(?:{_ROOT}|\.\.?[/\\])[^\n]+$")
# Within a text: a root, and folders up to the last part; "km/h", "a/b" and addresses of the web are none.
_WITHIN = re.compile(rf"(?<![\w.:/\\~-]){_ROOT}(?:[^\s/\\'\":;,()<>\[\]{{}}]+[/\\])+(?=[^\s/\\'\":;,()<>\[\]{{}}])")
_QUOTED = re.compile(rf"(?<=(['\"])){_ROOT}[^'\"\n]*[/\\](?=[^'\"/\\\n]+\1)")


def last_part(path: str) -> str:
    """The name of a file or folder, of either system's paths."""
    kind = PureWindowsPath if "\\" in path or re.match(r"[A-Za-z]:", path) else PurePosixPath
    return kind(path).name or path


def shortened(text: str) -> str:
    """A text in which every absolute path is its last part."""
    if _WHOLE.match(text) and " " not in text:
        return last_part(text)
    return _WITHIN.sub("", _QUOTED.sub("", text))


def without_places(value: Any, at: str = "") -> tuple[Any, list[str]]:
    """A JSON-like value with its absolute paths shortened, and where they stood ("asked.dataset")."""
    if isinstance(value, str):
        short = shortened(value)
        return short, [at] if short != value else []
    if isinstance(value, dict):
        parts = {key: without_places(one, f"{at}.{key}" if at else str(key)) for key, one in value.items()}
        return {key: one for key, (one, _) in parts.items()}, [place for _, found in parts.values() for place in found]
    if isinstance(value, list):
        items = [without_places(one, at) for one in value]
        return [one for one, _ in items], list(dict.fromkeys(place for _, found in items for place in found))
    return value, []
