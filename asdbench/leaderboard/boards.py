"""Which entries and published results stand on one board, and whether they may be compared at all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asdbench.leaderboard.entry import Entry
from asdbench.leaderboard.references import Reference
from asdbench.leaderboard.systems import BoardError, System, require_new_seed, systems_of


@dataclass(frozen=True)
class Board:
    """One data set and split."""

    name: str  # of the data set with its split
    protocol: str  # whose official score all rows have
    machines: tuple[str, ...]  # machine types that any row has, sorted
    systems: tuple[System, ...]  # measured here or submitted, by label
    references: Mapping[Path, Reference]  # published, by path

    @property
    def slug(self) -> str:
        """Name of its pages without ending."""
        return slug_of(self.name)


Members = Mapping[Path, Entry | Reference]  # of one board


def slug_of(name: str) -> str:
    """A board's name as that of a file."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "board"
    return f"{slug}-board" if slug.casefold() in ("index", "readme", "transfer") else slug


def make_boards(
    entries: Mapping[Path, Entry], references: Mapping[Path, Reference]
) -> tuple[dict[str, Board], dict[str, str]]:
    """The boards by name, and for those that cannot be made the reason."""
    by_board = _by_board({**entries, **references})
    boards: dict[str, Board] = {}
    problems: dict[str, str] = {}
    names: dict[str, str] = {}  # by page
    for name, members in sorted(by_board.items()):
        try:
            other = names.setdefault(slug_of(name).casefold(), name)
            if other != name:
                raise _same_page(other, next(iter(by_board[other])), name, next(iter(members)))
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
    by_board = _by_board({**entries, **references})
    members = by_board.pop(entry.board, {})
    for other, others in by_board.items():
        if slug_of(other).casefold() == slug_of(entry.board).casefold():
            raise _same_page(other, next(iter(others)), entry.board, path)
    try:
        _require_comparable({**members, path: entry})
    except BoardError as error:
        if path in error.paths:
            raise
        for there, member in members.items():
            _require_comparable({there: member, path: entry})
    require_new_seed(path, entry, _entries(members))


def _by_board(members: Members) -> dict[str, dict[Path, Entry | Reference]]:
    by_board: dict[str, dict[Path, Entry | Reference]] = {}
    for path, member in members.items():
        by_board.setdefault(member.board, {})[path] = member
    return by_board


def _entries(members: Members) -> dict[Path, Entry]:
    return {path: member for path, member in members.items() if isinstance(member, Entry)}


def _same_page(name: str, path: Path, other: str, other_path: Path) -> BoardError:
    return BoardError(
        f"The data sets '{name}' ({path}) and '{other}' ({other_path}) would share the page {slug_of(other)}.html.",
        path,
        other_path,
    )


def _board(name: str, members: Members) -> Board:
    _require_comparable(members)
    entries = _entries(members)
    references = {path: member for path, member in members.items() if isinstance(member, Reference)}
    machines = {machine for entry in entries.values() for machine in entry.record.dataset.test_clips}
    machines |= {machine for reference in references.values() for machine in reference.machines}
    protocol = next(iter(members.values())).protocol
    return Board(name, protocol, tuple(sorted(machines)), tuple(systems_of(entries)), references)


def _require_comparable(members: Members) -> None:
    """Entries and published results may stand side by side.

    Raises:
        BoardError: they follow several protocols, or are of differing recordings, clips or labels.
    """
    first, protocol = next((path, member.protocol) for path, member in members.items())
    for path, member in members.items():
        if member.protocol != protocol:
            raise BoardError(
                f"{first} follows the protocol {protocol}, {path} {member.protocol}. Scores of differing protocols are "
                "not put side by side.",
                first,
                path,
            )
    entries = _entries(members)
    whole = {path: entry for path, entry in entries.items() if not entry.record.dataset.lacks}
    _require_same_recordings({path: entry for path, entry in whole.items() if not entry.submitted})  # known by names
    _require_same_clips(entries)


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
