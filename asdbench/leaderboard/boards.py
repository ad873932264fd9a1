"""Which entries and published results stand on one board, and whether they may be compared at all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asdbench.leaderboard.entry import Entry
from asdbench.leaderboard.references import Reference
from asdbench.leaderboard.systems import BoardError, System, require_new_seed, systems_of


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
    """What stands on one board, by path."""

    entries: dict[Path, Entry] = field(default_factory=dict)
    references: dict[Path, Reference] = field(default_factory=dict)

    @property
    def first(self) -> Path:
        return next(iter([*self.entries, *self.references]))


def slug_of(name: str) -> str:
    """A board's name as that of a file."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "board"
    return f"{slug}-board" if slug.casefold() in ("index", "readme") else slug


def make_boards(
    entries: Mapping[Path, Entry], references: Mapping[Path, Reference]
) -> tuple[dict[str, Board], dict[str, str]]:
    """The boards by name, and for those that cannot be made the reason."""
    by_board = _by_board(entries, references)
    boards: dict[str, Board] = {}
    problems: dict[str, str] = {}
    names: dict[str, str] = {}  # by page
    for name, members in sorted(by_board.items()):
        try:
            other = names.setdefault(slug_of(name).casefold(), name)
            if other != name:
                raise _same_page(other, by_board[other].first, name, members.first)
            boards[name] = _board(name, members)
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
        BoardError: it does not fit; on a board that was broken before, not with every other one alone.
    """
    by_board = _by_board(entries, references)
    name = entry.record.dataset.name
    members = by_board.pop(name, _Members())
    for other, others in by_board.items():
        if slug_of(other).casefold() == slug_of(name).casefold():
            raise _same_page(other, others.first, name, path)
    try:
        _require_comparable(_Members({**members.entries, path: entry}, members.references))
    except BoardError as error:
        if path in error.paths:
            raise
        pairs = [_Members({other: one, path: entry}) for other, one in members.entries.items()]
        pairs += [_Members({path: entry}, {other: reference}) for other, reference in members.references.items()]
        for pair in pairs:
            _require_comparable(pair)
    require_new_seed(path, entry, members.entries)


def _by_board(entries: Mapping[Path, Entry], references: Mapping[Path, Reference]) -> dict[str, _Members]:
    members: dict[str, _Members] = {}
    for path, entry in entries.items():
        members.setdefault(entry.record.dataset.name, _Members()).entries[path] = entry
    for path, reference in references.items():
        members.setdefault(reference.board, _Members()).references[path] = reference
    return members


def _same_page(name: str, path: Path, other: str, other_path: Path) -> BoardError:
    return BoardError(
        f"The data sets '{name}' ({path}) and '{other}' ({other_path}) would share the page {slug_of(other)}.html.",
        path,
        other_path,
    )


def _board(name: str, members: _Members) -> Board:
    protocol = _require_comparable(members)
    machines = {machine for entry in members.entries.values() for machine in entry.record.dataset.test_clips}
    machines |= {machine for reference in members.references.values() for machine in reference.machines}
    return Board(name, protocol, tuple(sorted(machines)), tuple(systems_of(members.entries)), members.references)


def _require_comparable(members: _Members) -> str:
    """The protocol of entries and published results that may stand side by side.

    Raises:
        BoardError: they follow several protocols, or are of differing recordings, clips or labels.
    """
    protocols = {path: entry.record.dataset.protocol for path, entry in members.entries.items()}
    protocols |= {path: reference.protocol for path, reference in members.references.items()}
    for path, protocol in protocols.items():
        if protocol != protocols[members.first]:
            raise BoardError(
                f"{members.first} follows the protocol {protocols[members.first]}, {path} {protocol}. Scores of "
                "differing protocols are not put side by side.",
                members.first,
                path,
            )
    _require_same_recordings({path: one for path, one in members.entries.items() if not one.record.dataset.lacks})
    _require_same_clips(members.entries)
    return protocols[members.first]


def _require_same_clips(entries: Mapping[Path, Entry]) -> None:
    """Clips and labels of a section are the same in all entries that have it, of partial data in those alike."""
    seen: dict[tuple[str, str, str, str], tuple[Path, str]] = {}
    for path, entry in entries.items():
        data = entry.record.dataset
        group = data.fingerprint if data.lacks else ""
        for machine, sections in entry.scores.items():
            for section, rows in sections.items():
                for what in ("clips", "labels", "domains"):
                    value = getattr(rows, what)
                    other, first = seen.setdefault((group, machine, section, what), (path, value))
                    if value != first:
                        raise BoardError(
                            f"{other} and {path} differ in the test {what} of {machine}, section {section}. "
                            "Only results on the same clips are put side by side.",
                            other,
                            path,
                        )


def _require_same_recordings(entries: Mapping[Path, Entry]) -> None:
    """Machine by machine where the records have a version of each, else the data set as a whole."""
    seen: dict[str | frozenset[str], tuple[Path, str]] = {}  # by machine type, or all of them
    for path, entry in entries.items():
        data = entry.record.dataset
        versions: list[tuple[str | frozenset[str], str]] = [*data.fingerprints.items()]
        for of, version in [*versions, (frozenset(data.test_clips), data.fingerprint)]:
            other, first = seen.setdefault(of, (path, version))
            if first != version:
                what = f"the data of {of}" if isinstance(of, str) else "the data"
                raise BoardError(
                    f"{other} and {path} are of differing versions of {what}: {first[:12]} and {version[:12]}. "
                    "Results on differing data are not put side by side.",
                    other,
                    path,
                )
    with_versions = {frozenset(one.record.dataset.test_clips) for one in entries.values() if _has_versions(one)}
    for path, entry in entries.items():
        machines = frozenset(entry.record.dataset.test_clips)
        others = [other for of, (other, _) in seen.items() if not isinstance(of, str) and of != machines]
        if others and not _has_versions(entry) and machines not in with_versions:
            raise BoardError(
                f"{others[0]} and {path} are of differing machine types, and the latter, from an older asdbench, does "
                "not say the version of each type's data; run it again.",
                others[0],
                path,
            )


def _has_versions(entry: Entry) -> bool:
    """Whether the record has the version of each machine type's data."""
    return bool(entry.record.dataset.fingerprints)
