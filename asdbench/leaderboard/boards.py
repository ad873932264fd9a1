"""Which entries and published results stand on one board, and whether they may be compared at all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asdbench.leaderboard.entry import Entry
from asdbench.leaderboard.references import Reference
from asdbench.leaderboard.systems import BoardError, System, require_own_seed, systems_of


@dataclass(frozen=True)
class Board:
    """One data set and split.

    Attributes:
        name: of the data set with its split.
        protocol: whose official score all rows have.
        machines: machine types that any row has, sorted.
        systems: measured, by label.
        references: published, by path.
    """

    name: str
    protocol: str
    machines: tuple[str, ...]
    systems: tuple[System, ...]
    references: Mapping[Path, Reference]

    @property
    def slug(self) -> str:
        """Name of its pages without ending."""
        return slug_of(self.name)


@dataclass
class _Members:
    entries: dict[Path, Entry] = field(default_factory=dict)
    references: dict[Path, Reference] = field(default_factory=dict)


def slug_of(name: str) -> str:
    """A board's name as that of a file."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "board"
    return f"{slug}-board" if slug.casefold() in ("index", "readme") else slug


def make_boards(
    entries: Mapping[Path, Entry], references: Mapping[Path, Reference]
) -> tuple[dict[str, Board], dict[str, str]]:
    """The boards by name, and for those that cannot be made the reason."""
    members = _by_board(entries, references)
    boards: dict[str, Board] = {}
    problems: dict[str, str] = {}
    slugs: dict[str, str] = {}
    for name, own in sorted(members.items()):
        try:
            other = slugs.setdefault(slug_of(name).casefold(), name)
            if other != name:
                raise _same_page(other, members[other], name, own)
            boards[name] = _board(name, own)
        except BoardError as error:
            problems[name] = f"{name} is not rendered: {error} Remove one of them."
    return boards, problems


def require_fit(path: Path, entry: Entry, entries: Mapping[Path, Entry], references: Mapping[Path, Reference]) -> None:
    """A new entry leaves its board one that can be rendered.

    Args:
        path: what messages call the new entry.
        entry: the new one.
        entries: those that are there, of all boards.
        references: published results that are there, of all boards.

    Raises:
        BoardError: it cannot stand beside another; where the board was broken before, beside any of its entries.
    """
    members = _by_board(entries, references)
    name = entry.record.dataset.name
    own = members.pop(name, _Members())
    for other, theirs in members.items():
        if slug_of(other).casefold() == slug_of(name).casefold():
            raise _same_page(other, theirs, name, _Members({path: entry}))
    try:
        _require_comparable(_Members({**own.entries, path: entry}, own.references))
    except BoardError as error:
        if path in error.paths:
            raise
        for there, one in own.entries.items():
            _require_comparable(_Members({there: one, path: entry}))
        for there, reference in own.references.items():
            _require_comparable(_Members({path: entry}, {there: reference}))
    require_own_seed(path, entry, own.entries)


def _by_board(entries: Mapping[Path, Entry], references: Mapping[Path, Reference]) -> dict[str, _Members]:
    members: dict[str, _Members] = {}
    for path, entry in entries.items():
        members.setdefault(entry.record.dataset.name, _Members()).entries[path] = entry
    for path, reference in references.items():
        members.setdefault(reference.board, _Members()).references[path] = reference
    return members


def _same_page(other: str, theirs: _Members, name: str, own: _Members) -> BoardError:
    paths = [next(iter([*one.entries, *one.references])) for one in (theirs, own)]
    return BoardError(
        f"The data sets '{other}' ({paths[0]}) and '{name}' ({paths[1]}) would share the page {slug_of(name)}.html.",
        *paths,
    )


def _require_comparable(own: _Members) -> str:
    """The protocol of entries and published results that may stand side by side."""
    protocol = _one_protocol(own)
    _require_same_data(own.entries)
    return protocol


def _board(name: str, own: _Members) -> Board:
    protocol = _require_comparable(own)
    machines = {machine for entry in own.entries.values() for machine in _machines_of(entry)}
    machines |= {machine for reference in own.references.values() for machine in reference.machines}
    return Board(name, protocol, tuple(sorted(machines)), tuple(systems_of(own.entries)), own.references)


def _machines_of(entry: Entry) -> list[str]:
    return list(entry.record.dataset.test_clips)


def _one_protocol(own: _Members) -> str:
    protocols = {path: entry.record.dataset.protocol for path, entry in own.entries.items()}
    protocols |= {path: reference.protocol for path, reference in own.references.items()}
    first_path, first = next(iter(protocols.items()))
    for path, protocol in protocols.items():
        if protocol != first:
            raise BoardError(
                f"{first_path} follows the protocol {first}, {path} {protocol}. Scores of differing protocols are not "
                "put side by side.",
                first_path,
                path,
            )
    return first


def _require_same_data(entries: Mapping[Path, Entry]) -> None:
    """Every machine type's recordings and labels are the same in all entries that have it; partial data aside.

    Raises:
        BoardError: they are not.
    """
    whole = {path: entry for path, entry in entries.items() if not entry.record.dataset.lacks}
    _require_same_recordings(whole)
    seen: dict[tuple[str, str, str], tuple[Path, tuple[str, str, str]]] = {}
    for path, entry in entries.items():
        data = entry.record.dataset
        group = data.fingerprint if data.lacks else ""
        for machine, parts in entry.scores.items():
            for section, rows in parts.items():
                told = (rows.clips, rows.labels, rows.domains)
                other, first = seen.setdefault((group, machine, section), (path, told))
                for what, one, two in zip(("clips", "labels", "domains"), first, told, strict=True):
                    if one != two:
                        raise BoardError(
                            f"{other} and {path} differ in the test {what} of {machine}, section {section}. "
                            "Only results on the same clips are put side by side.",
                            other,
                            path,
                        )


def _require_same_recordings(entries: Mapping[Path, Entry]) -> None:
    """Machine by machine where the records tell that, else the data set as a whole."""
    by_machine: dict[str, tuple[Path, str]] = {}
    wholes: dict[tuple[str, ...], tuple[Path, str]] = {}
    for path, entry in entries.items():
        data = entry.record.dataset
        for machine, version in data.fingerprints.items():
            one, first = by_machine.setdefault(machine, (path, version))
            if first != version:
                raise _differ(one, first, path, version, f" of {machine}")
        key = tuple(sorted(data.test_clips))
        one, first = wholes.setdefault(key, (path, data.fingerprint))
        if first != data.fingerprint:
            raise _differ(one, first, path, data.fingerprint, "")
    told = {tuple(sorted(entry.record.dataset.test_clips)) for entry in entries.values() if _tells(entry)}
    for path, entry in entries.items():
        key = tuple(sorted(entry.record.dataset.test_clips))
        other = next((other for others, (other, _) in wholes.items() if others != key), None)
        if not _tells(entry) and key not in told and other is not None:
            raise BoardError(
                f"{other} and {path} are of differing machine types, and the latter, from an older asdbench, does not "
                "tell the version of each type's data; run it again.",
                other,
                path,
            )


def _tells(entry: Entry) -> bool:
    """Whether the record tells the version of each machine type's data."""
    return bool(entry.record.dataset.fingerprints)


def _differ(one: Path, first: str, other: Path, second: str, of: str) -> BoardError:
    return BoardError(
        f"{one} and {other} are of differing versions of the data{of}: {first[:12]} and {second[:12]}. "
        "Results on differing data are not put side by side.",
        one,
        other,
    )
