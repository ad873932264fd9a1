"""What the file names of the DCASE Task 2 data sets, and their attribute files, say.

From 2021 on: ``section_00_source_train_normal_0000_vel_12_loc_A.wav``; test clips without label are
``section_00_0000.wav``, in 2021 ``section_03_source_test_0000.wav``. 2020: ``normal_id_00_00000000.wav``,
``anomaly_id_00_00000000.wav``, and ``id_01_00000000.wav``. Numbers may have any count of digits.

Rows of the files ``attributes_<section>.csv`` beside the recordings are ``file_name,d1p,d1v,d2p,d2v,...``. They vary
between years: with or without a header, with or without the folder and the ending in the file's name, with empty pairs
and ``noAttribute`` where attributes are hidden.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asdbench.datasets.clips import Domain, Split
from asdbench.datasets.plain_names import is_plain, shown

Attributes = tuple[tuple[str, str], ...]

# What score files put between columns, and control characters, cannot be part of a name: "name;12,5" is none.
ATTRIBUTE_TEXT = r'[^\x00-\x1f\x7f,;|"]*'
_SINCE_2021 = re.compile(
    r"section_(?P<section>[0-9]+)_(?P<domain>source|target)_(?P<split>train|test)_(?P<label>normal|anomaly)_[0-9]+"
    rf"(?:_(?P<attributes>{ATTRIBUTE_TEXT}))?"
)
_SINCE_2021_BLIND = re.compile(r"section_(?P<section>[0-9]+)(?:_(?P<domain>source|target))?(?:_test)?_[0-9]+")
_2020 = re.compile(r"(?P<label>normal|anomaly)_id_(?P<section>[0-9]+)_[0-9]+")
_2020_BLIND = re.compile(r"id_(?P<section>[0-9]+)_[0-9]+")
# The words differ between sources: "supplemental", "clean", "noise" ..., with a domain or without.
_SUPPLEMENTAL = re.compile(
    rf"section_(?P<section>[0-9]+)_(?:(?P<words>\D*)_)?[0-9]+(?:_(?P<attributes>{ATTRIBUTE_TEXT}))?"
)

PATTERNS = (
    ("dcase2023", _SINCE_2021),
    ("dcase2023", _SINCE_2021_BLIND),
    ("dcase2020", _2020),
    ("dcase2020", _2020_BLIND),
)
EXAMPLES = {
    "dcase2023": "section_00_source_train_normal_0000_vel_12.wav",
    "dcase2020": "normal_id_00_00000000.wav",
}
HIDDEN = "noAttribute"
HEADER = "file_name"


@dataclass(frozen=True)
class NameFacts:
    """Facts that a file name states; None where it is silent."""

    layout: str
    section: str
    domain: Domain | None
    split: Split | None
    label: int | None
    attributes: Attributes


def parse_name(stem: str) -> NameFacts | None:
    """Facts stated by a file name without its ending; None when it fits no known layout."""
    for layout, pattern in PATTERNS:
        match = pattern.fullmatch(stem)
        if match:
            facts = match.groupdict()
            label = facts.get("label")
            return NameFacts(
                layout=layout,
                section=facts["section"],
                domain=facts.get("domain"),  # type: ignore[arg-type]  # the pattern admits nothing else
                split=facts.get("split"),  # type: ignore[arg-type]
                label=None if label is None else int(label == "anomaly"),
                attributes=parse_attributes(facts.get("attributes") or ""),
            )
    return None


def parse_supplemental_name(stem: str) -> NameFacts | None:
    """Facts stated by the name of a supplemental clip; its words become the attribute "supplemental"."""
    match = _SUPPLEMENTAL.fullmatch(stem)
    if match is None:
        return None
    words = match["words"] or ""
    domains = {"source", "target"} & set(words.split("_"))
    domain: Domain | None = domains.pop() if len(domains) == 1 else None  # type: ignore[assignment]
    named = (("supplemental", words), *parse_attributes(match["attributes"] or ""))
    return NameFacts("dcase2023", match["section"], domain, "supplemental", None, named)


def parse_attributes(text: str) -> Attributes:
    """``vel_12_loc_A`` -> (("vel", "12"), ("loc", "A")). A word without a value (``noAttribute``) states nothing."""
    words = text.split("_") if text else []
    return tuple(zip(words[0::2], words[1::2], strict=False))


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
