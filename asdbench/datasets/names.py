"""What the file names of the DCASE Task 2 data sets say.

From 2021 on: ``section_00_source_train_normal_0000_vel_12_loc_A.wav``; test clips without label are
``section_00_0000.wav``, in 2021 ``section_03_source_test_0000.wav``. 2020: ``normal_id_00_00000000.wav``,
``anomaly_id_00_00000000.wav``, and ``id_01_00000000.wav``. Numbers may have any count of digits.
"""

import re
from dataclasses import dataclass

from asdbench.datasets.clips import Domain, Split

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


@dataclass(frozen=True)
class NameFacts:
    """Facts that a file name states; None where it is silent."""

    layout: str
    section: str
    domain: Domain | None
    split: Split | None
    label: int | None
    attributes: tuple[tuple[str, str], ...]


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
    """Facts stated by the name of a supplemental clip; its words are kept as the attribute "supplemental"."""
    match = _SUPPLEMENTAL.fullmatch(stem)
    if match is None:
        return None
    words = match["words"] or ""
    told = {"source", "target"} & set(words.split("_"))
    domain: Domain | None = told.pop() if len(told) == 1 else None  # type: ignore[assignment]
    named = (("supplemental", words), *parse_attributes(match["attributes"] or ""))
    return NameFacts("dcase2023", match["section"], domain, "supplemental", None, named)


def parse_attributes(text: str) -> tuple[tuple[str, str], ...]:
    """``vel_12_loc_A`` -> (("vel", "12"), ("loc", "A")). A word without a value (``noAttribute``) states nothing."""
    words = text.split("_") if text else []
    return tuple(zip(words[0::2], words[1::2], strict=False))
