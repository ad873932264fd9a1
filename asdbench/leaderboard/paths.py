"""No place on anybody's disk goes into an entry that is published: of a path its last part is kept."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

_SEPARATOR = r"[/\\]+"  # doubled where Python quotes a path of Windows
_ROOT = rf"(?:(?:file:[/\\]*)?(?:~[\w.-]*|[A-Za-z]:)?|\.\.?){_SEPARATOR}"
_WORD = r"[^\s/\\'\":;,()<>\[\]{}|]+"
# The name of a folder may hold spaces; a word that ends like a file ends the path.
_ENDS = r"(?<!\.wav)(?<!\.flac)(?<!\.npy)(?<!\.npz)(?<!\.csv)(?<!\.json)(?<!\.toml)(?<!\.py)(?<!\.pt)(?<!\.zip)"
_FOLDER = rf"{_WORD}(?:{_ENDS} +{_WORD}){{0,5}}"
_WHOLE = re.compile(rf"^{_ROOT}[^\n]+$")
# Within a text: a root, and folders up to the last part; "km/h", "a/b" and addresses of the web are none.
_WITHIN = re.compile(
    rf"https?://\S+|(?<![\w.~-])(?:~[\w.-]*{_SEPARATOR}|{_ROOT}{_FOLDER}{_SEPARATOR})(?:{_FOLDER}{_SEPARATOR})*(?={_WORD})"
)
_QUOTED = re.compile(rf"(?<=(['\"])){_ROOT}(?:(?!\1)[^\n])*{_SEPARATOR}(?=(?:(?!\1)[^/\\\n])+\1)")


def last_part(path: str) -> str:
    """The name of a file or folder, of either system's paths."""
    kind = PureWindowsPath if "\\" in path or re.match(r"[A-Za-z]:", path) else PurePosixPath
    return kind(path).name or path


def shortened(text: str, roots: Sequence[str] = ()) -> str:
    """A text in which every path that begins at a root is its last part.

    Args:
        text: any; addresses of the web stay.
        roots: folders that are known to be somebody's own, whatever stands around them (``own_places``).
    """
    for root in roots:
        text = re.sub(rf"(?<!\w){re.escape(root)}(?![\w-])", "~", text)
    if _WHOLE.match(text) and " " not in text:
        return last_part(text)
    return _WITHIN.sub(lambda found: found[0] if found[0].startswith("http") else "", _QUOTED.sub("", text))


def own_places() -> list[str]:
    """Folders of whoever runs this: home, the working folder, the cache, the data; the longest first."""
    from asdbench.core.paths import cache_root
    from asdbench.harness.data import data_root

    places = [*_homes(), Path.cwd(), cache_root().absolute(), data_root().absolute()]
    named = {str(one) for place in places for one in (place, place.resolve()) if len(one.parts) > 1}
    return sorted(named | {name.replace("\\", "/") for name in named}, key=lambda name: (-len(name), name))


def without_places(value: Any, at: str = "", roots: Sequence[str] = ()) -> tuple[Any, list[str]]:
    """A JSON-like value with its paths shortened, and where they stood ("asked.dataset")."""
    if isinstance(value, str):
        short = shortened(value, roots)
        return short, [at] if short != value else []
    if isinstance(value, dict):
        parts = {key: without_places(one, f"{at}.{key}" if at else str(key), roots) for key, one in value.items()}
        return {key: one for key, (one, _) in parts.items()}, [place for _, found in parts.values() for place in found]
    if isinstance(value, list):
        items = [without_places(one, at, roots) for one in value]
        return [one for one, _ in items], list(dict.fromkeys(place for _, found in items for place in found))
    return value, []


def homes_in(value: Any, at: str = "") -> Iterator[str]:
    """Where a JSON-like value still holds the path of the home folder, in names too."""
    homes = [str(home) for home in _homes() if len(home.parts) > 1]

    def walk(value: Any, at: str) -> Iterator[str]:
        if isinstance(value, str):
            if any(re.search(rf"{re.escape(home)}(?![\w-])", value) for home in homes):
                yield at
        elif isinstance(value, dict):
            for key, one in value.items():
                yield from walk(str(key), at or "the record")
                yield from walk(one, f"{at}.{key}" if at else str(key))
        elif isinstance(value, list):
            for one in value:
                yield from walk(one, at)

    return walk(value, at)


def _homes() -> list[Path]:
    try:
        home = Path.home()
    except RuntimeError:  # a user without one
        return []
    return list(dict.fromkeys([home, home.resolve()]))
