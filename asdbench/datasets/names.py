"""What the file names of the DCASE Task 2 data sets, and their attribute files, say; which names can be used at all.

From 2021 on: ``section_00_source_train_normal_0000_vel_12_loc_A.wav``; test clips without label are
``section_00_0000.wav``, in 2021 ``section_03_source_test_0000.wav``. In
2020 ``normal_id_00_00000000.wav``, ``anomaly_id_00_00000000.wav`` and ``id_01_00000000.wav``. Numbers may have any
count of digits.

Rows of the files ``attributes_<section>.csv`` beside the recordings are ``file_name,d1p,d1v,d2p,d2v,...``. They vary
between years: with or without a header, with or without the folder and the ending in the file's name, with empty pairs
and ``noAttribute`` where attributes are hidden.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from asdbench.core.errors import DataError
from asdbench.datasets.clips import Domain, Split

Attributes = tuple[tuple[str, str], ...]

# What score files put between columns, and control characters, cannot be part of a name: "name;12,5" is none.
ATTRIBUTE_TEXT = r'[^\x00-\x1f\x7f,;|"]*'
PATTERNS = (
    ("dcase2023", re.compile(
        r"section_(?P<section>[0-9]+)_(?P<domain>source|target)_(?P<split>train|test)_(?P<label>normal|anomaly)"
        rf"_[0-9]+(?:_(?P<attributes>{ATTRIBUTE_TEXT}))?"
    )),
    ("dcase2023", re.compile(r"section_(?P<section>[0-9]+)(?:_(?P<domain>source|target))?(?:_test)?_[0-9]+")),
    ("dcase2020", re.compile(r"(?:(?P<label>normal|anomaly)_)?id_(?P<section>[0-9]+)_[0-9]+")),
)  # fmt: skip
# The description differs between sources: "supplemental", "clean", "noise" ..., with a domain or without.
_SUPPLEMENTAL = re.compile(
    rf"section_(?P<section>[0-9]+)_(?:(?P<description>\D*)_)?[0-9]+(?:_(?P<attributes>{ATTRIBUTE_TEXT}))?"
)
_ATTRIBUTE_FILE = re.compile(r"attributes_.*\.csv", re.DOTALL)
EXAMPLES = {
    "dcase2023": "section_00_source_train_normal_0000_vel_12.wav",
    "dcase2020": "normal_id_00_00000000.wav",
}
UNPRINTABLE = "the name is not UTF-8, or holds control characters or invisible marks; rename it"
# Control characters, half characters (bytes that are no UTF-8), separators of lines, and marks that are not seen.
_REFUSED = {"Cc", "Cs", "Zl", "Zp", "Cf"}
_JOINERS = "\u200c\u200d"  # Persian, Indian scripts and emoji need them


class NameFacts(NamedTuple):
    """Facts that a file name states; None for what it does not."""

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
                layout,
                facts["section"],
                facts.get("domain"),  # type: ignore[arg-type]  # the pattern admits nothing else
                facts.get("split"),  # type: ignore[arg-type]
                None if label is None else int(label == "anomaly"),
                parse_attributes(facts.get("attributes") or ""),
            )
    return None


def parse_supplemental_name(stem: str) -> NameFacts | None:
    """Facts stated by the name of a supplemental clip; its description becomes the attribute "supplemental"."""
    match = _SUPPLEMENTAL.fullmatch(stem)
    if match is None:
        return None
    description = match["description"] or ""
    domains = {"source", "target"} & set(description.split("_"))
    domain: Domain | None = domains.pop() if len(domains) == 1 else None  # type: ignore[assignment]
    attributes = (("supplemental", description), *parse_attributes(match["attributes"] or ""))
    return NameFacts("dcase2023", match["section"], domain, "supplemental", None, attributes)


@lru_cache(1024)  # many clips share them
def parse_attributes(text: str) -> Attributes:
    """``vel_12_loc_A`` -> (("vel", "12"), ("loc", "A")). A word without a value (``noAttribute``) states nothing."""
    cells = text.split("_") if text else []
    return tuple(zip(cells[0::2], cells[1::2], strict=False))


def clip_name(text: str) -> str:
    """The name by which clips are matched: without folder and the ending of a recording."""
    last = PurePosixPath(text.strip().replace("\\", "/")).name
    return last[: -len(PurePosixPath(last).suffix)] if last.lower().endswith((".wav", ".flac")) else last


def attribute_files(folder: Path) -> list[Path]:
    """The files of attributes in a machine's folder. Raises OSError: it cannot be read."""
    return sorted(path for path in folder.iterdir() if _ATTRIBUTE_FILE.fullmatch(path.name))


def read_attribute_files(folder: Path, problems: list[str]) -> dict[str, Attributes]:
    """Attributes by file name without folder and ending, from every ``attributes_*.csv`` of a machine's folder.

    A file that cannot be read, or one clip with two different rows, is added to ``problems``.
    """
    attributes: dict[str, Attributes] = {}
    try:
        paths = attribute_files(folder)
    except OSError as error:
        problems.append(f"{folder}: cannot be read: {error.strerror}")
        paths = []
    for path in paths:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(map(str.strip, row))]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            problems.append(f"{printable(str(path))}: cannot be read as CSV: {error}")
            continue
        for number, row in rows:
            name, *cells = map(str.strip, row)
            place = f"{printable(str(path))}:{number}"
            if name == "file_name":
                continue
            if not all(map(is_printable, row)):
                problems.append(f"{place}: control characters or invisible marks; write the row anew")
                continue
            pairs = tuple(
                (key, value)
                for key, value in zip(cells[0::2], cells[1::2], strict=False)
                if key and value and "noAttribute" not in (key, value)
            )
            if attributes.setdefault(clip_name(name), pairs) != pairs:
                problems.append(f"{place}: {clip_name(name)} stands twice with different attributes")
    return attributes


def is_printable(name: str) -> bool:
    """Whether a name can be printed, written to UTF-8 files and distinguished from others."""
    return name.isprintable() or not any(map(_refused, name))


def printable(name: str) -> str:
    r"""The name with what cannot be printed in another form: ``f\\xe4n``."""
    return name if name.isprintable() else "".join(_escaped(sign) if _refused(sign) else sign for sign in name)


def same_name(stem: str) -> str:
    """Equal for names without ending that some file system, or some reader of score files, takes for one."""
    return unicodedata.normalize("NFC", stem).casefold()


def require_printable(folders: Iterable[Path]) -> None:
    """Refuse a data set in which folders have names that cannot be printed.

    Raises:
        DataError: there are such names; all of them are listed.
    """
    bad = dict.fromkeys(printable(str(folder)) for folder in folders if not is_printable(str(folder)))
    if bad:
        raise DataError(
            "Folders whose names are not UTF-8, or hold control characters or invisible marks:",
            bad,
            "Rename them; names of Latin-1 are made UTF-8 by: convmv -f latin1 -t utf8 -r --notest DIR",
        )


def _refused(sign: str) -> bool:
    return unicodedata.category(sign) in _REFUSED and sign not in _JOINERS


def _escaped(sign: str) -> str:
    if "\udc80" <= sign <= "\udcff":  # a byte that Python could not decode
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode()
