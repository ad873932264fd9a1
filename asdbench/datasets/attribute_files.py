"""The files ``attributes_<section>.csv`` beside a machine type's recordings.

Rows are ``file_name,d1p,d1v,d2p,d2v,...``. They vary between years: with or without a header, with or without the
folder and the ending in the file's name, with empty pairs and ``noAttribute`` where attributes are hidden.
"""

import csv
from pathlib import Path, PurePosixPath

from asdbench.datasets.names import HIDDEN
from asdbench.datasets.plain_names import is_plain, shown

Attributes = tuple[tuple[str, str], ...]
HEADER = "file_name"


def read_attribute_files(folder: Path, problems: list[str]) -> dict[str, Attributes]:
    """Attributes by file name without folder and ending, from every ``attributes_*.csv`` of a machine's folder.

    A file that cannot be read, or one clip with two different rows, is added to ``problems``.
    """
    found: dict[str, Attributes] = {}
    for path in sorted(folder.glob("attributes_*.csv")):
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(map(str.strip, row))]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            problems.append(f"{shown(str(path))}: cannot be read as CSV: {error}")
            continue
        for number, row in rows:
            if row[0].strip() == HEADER:
                continue
            if not all(map(is_plain, row)):
                problems.append(
                    f"{shown(str(path))}:{number}: control characters or invisible marks; write the row anew"
                )
                continue
            stem = _stem(row[0].strip())
            pairs = _pairs([word.strip() for word in row[1:]])
            if found.setdefault(stem, pairs) != pairs:
                problems.append(f"{shown(str(path))}:{number}: {stem} stands twice with different attributes")
    return found


def _stem(name: str) -> str:
    last = PurePosixPath(name.replace("\\", "/")).name
    return last[: -len(PurePosixPath(last).suffix)] if last.lower().endswith((".wav", ".flac")) else last


def _pairs(words: list[str]) -> Attributes:
    pairs = zip(words[0::2], words[1::2], strict=False)
    return tuple((key, value) for key, value in pairs if key and value and HIDDEN not in (key, value))
