"""No path of anybody's disk goes into an entry that is published: of a path its last part stays."""

import re
from collections.abc import Iterable, Sequence
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


def shortened(text: str, roots: Iterable[str] = ()) -> str:
    """A text in which every path that begins at a root is its last part; addresses of the web stay.

    ``roots`` are folders that belong to somebody, whatever stands around them (``private_folders``).
    """
    for root in roots:
        text = re.sub(rf"(?<!\w){re.escape(root)}(?![\w-])", "~", text)
    if _WHOLE.match(text) and " " not in text:
        return last_part(text)
    return _WITHIN.sub(lambda match: match[0] if match[0].startswith("http") else "", _QUOTED.sub("", text))


def private_folders() -> list[str]:
    """Folders of whoever runs this: home, the working folder, the cache, the data; the longest first."""
    from asdbench.core.paths import cache_root
    from asdbench.harness.data import data_root

    folders = _with_resolved([*_homes(), Path.cwd(), cache_root().absolute(), data_root().absolute()])
    names = {*folders, *(name.replace("\\", "/") for name in folders)}
    return sorted(names, key=lambda name: (-len(name), name))


def without_paths(value: Any, roots: Sequence[str], place: str = "") -> tuple[Any, list[str]]:
    """A JSON-like value with its paths shortened, and where they stood ("asked.dataset"), each place once."""
    if isinstance(value, str):
        short = shortened(value, roots)
        return short, [place] if short != value else []
    if not isinstance(value, dict | list):
        return value, []
    items = value.items() if isinstance(value, dict) else [("", item) for item in value]
    results = [without_paths(item, roots, ".".join(filter(None, [place, str(name)]))) for name, item in items]
    changed = [item for item, _ in results]
    places = list(dict.fromkeys(place for _, places in results for place in places))
    return (dict(zip(value, changed, strict=True)) if isinstance(value, dict) else changed), places


def names_home(text: str) -> bool:
    """Whether a text holds the path of the home folder."""
    return any(re.search(rf"{re.escape(home)}(?![\w-])", text) for home in _with_resolved(_homes()))


def _with_resolved(folders: Iterable[Path]) -> set[str]:
    """The folders as they are named and as they are; no root of a disk."""
    return {str(path) for folder in folders for path in (folder, folder.resolve()) if len(path.parts) > 1}


def _homes() -> list[Path]:
    try:
        return [Path.home()]
    except RuntimeError:  # a user without one
        return []
