"""One line for each machine type and section: how many clips there are, of what form."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asdbench.datasets.audio import Header
from asdbench.datasets.audit.holdings import Holdings
from asdbench.datasets.inventory import Recording, layouts

LABELS = {0: "normal", 1: "anomaly", None: "unlabelled"}


@dataclass(frozen=True)
class Row:
    """What lies there of one section.

    Attributes:
        machine: machine type.
        section: section number.
        clips: recordings by split.
        expected: the same as the card says; without the splits that it does not know.
        rates_hz: sample rates.
        channels: numbers of channels.
        shortest_s: length (s) of the shortest clip; 0 where no header could be read.
        longest_s: length (s) of the longest clip.
        attributes: of training clips: "known", "none", "hidden" where the card says why there are none, or how many
            have any; empty where there are no training clips.
    """

    machine: str
    section: str
    clips: dict[str, int]
    expected: dict[str, int]
    rates_hz: tuple[int, ...]
    channels: tuple[int, ...]
    shortest_s: float
    longest_s: float
    attributes: str


def rows(holdings: Holdings, headers: Mapping[Path, Header | None]) -> list[Row]:
    """A row for every section that is there or should be."""
    return [_row(holdings, machine, section, here, headers) for machine, section, here in holdings.sections()]


def counts(holdings: Holdings) -> list[dict[str, str | int]]:
    """Numbers of clips by machine, section, split, domain ("-" without) and label."""
    columns = ("machine", "section", "split", "domain", "label")
    found = Counter(
        (one.machine, one.facts.section, one.split, one.facts.domain or "-", LABELS[one.facts.label])
        for one in holdings.recordings
    )
    return [{**dict(zip(columns, key, strict=True)), "clips": number} for key, number in sorted(found.items())]


def layout_of(holdings: Holdings) -> str:
    """The card's layout, else that of the names; several are joined by " and "."""
    if holdings.card is not None:
        return holdings.card.layout
    return " and ".join(sorted(layouts(holdings.recordings)))


def lacking(holdings: Holdings) -> list[str]:
    """What is not there, one line for each machine type or section; empty when nothing is missing."""
    lines = [f"{machine}: nothing of it" for machine in holdings.missing]
    for machine, section, here in holdings.sections():
        if machine in holdings.parts:
            without = [split for split in ("train", "test") if not any(one.split == split for one in here)]
            lines += [f"{machine} section {section}: no {' and no '.join(without)} recordings"] if without else []
    return lines


def _row(
    holdings: Holdings, machine: str, section: str, here: list[Recording], headers: Mapping[Path, Header | None]
) -> Row:
    known = [header for one in here if (header := headers.get(one.path)) is not None]
    lengths = [header.seconds for header in known]
    return Row(
        machine=machine,
        section=section,
        clips=dict(Counter(one.split for one in here)),
        expected=_expected(holdings, machine, section),
        rates_hz=tuple(sorted({header.rate_hz for header in known})),
        channels=tuple(sorted({header.channels for header in known})),
        shortest_s=min(lengths, default=0.0),
        longest_s=max(lengths, default=0.0),
        attributes=_attributes(holdings, machine, [one for one in here if one.split == "train"]),
    )


def _expected(holdings: Holdings, machine: str, section: str) -> dict[str, int]:
    own = holdings.expected
    if own is None or section not in own.sections_of(machine):
        return {}
    counted = own.counts_of(machine, section)
    known = {"train": sum(counted.train.values()), "test": sum(counted.test.values())}
    if own.supplemental is not None and len(own.sections_of(machine)) == 1:
        known["supplemental"] = own.supplemental
    return {split: number for split, number in known.items() if number}


def _attributes(holdings: Holdings, machine: str, clips: list[Recording]) -> str:
    known = sum(bool(one.facts.attributes) for one in clips)
    if 0 < known < len(clips):
        return f"{known} of {len(clips)}"
    hidden = holdings.expected is not None and holdings.expected.machines[machine].attributes_hidden
    return ("known" if known else "hidden" if hidden else "none") if clips else ""
