"""Where everything that can be computed again is kept; looked at, limited and cleared."""

import os
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from asdbench.core.locks import BusyError, exclusive, lock_path
from asdbench.core.store import discard

KINDS = ("features", "views", "trained", "embeddings", "datasets", "digests")
LOCKED = ("features", "views", "trained", "datasets")  # kinds whose makers hold a lock
UNFINISHED = "unfinished"
ABANDONED_AFTER_S = 24 * 3600.0  # what a process writes is touched more often than that


@dataclass(frozen=True)
class CacheEntry:
    """One thing in the cache: the features of some clips, a trained extractor ...

    Attributes:
        kind: of ``KINDS``, or ``UNFINISHED`` for what was left half-written by a killed process.
        paths: its folder, and that of a training under way.
        size: bytes.
        made_at: seconds since the epoch, of the newest of its files.
    """

    kind: str
    paths: tuple[Path, ...]
    size: int
    made_at: float


def cache_entries(root: Path) -> list[CacheEntry]:
    """Everything in the cache, oldest first."""
    entries = []
    for kind in KINDS:
        groups: dict[tuple[str, str], list[Path]] = {}
        for path in sorted((root / kind).iterdir()) if (root / kind).is_dir() else ():
            hidden = path.name.startswith(".")
            key = (UNFINISHED, path.name) if hidden else (kind, path.name.partition(".")[0])
            groups.setdefault(key, []).append(path)
        for (own_kind, _), paths in groups.items():
            files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else (path,))]
            states = [state for file in files if (state := _state(file)) is not None]
            if not states and not any(path.exists() for path in paths):  # gone while we looked
                continue
            newest = max((state.st_mtime for state in states), default=time.time())
            size = sum(state.st_size for state in states)
            entries.append(CacheEntry(own_kind, tuple(paths), size, newest))
    return sorted(entries, key=lambda entry: entry.made_at)


def _state(path: Path) -> os.stat_result | None:
    """Of a file; None for a folder, and for what a running command has removed."""
    try:
        return path.stat() if path.is_file() else None
    except FileNotFoundError:
        return None


def to_prune(
    entries: Iterable[CacheEntry], *, older_than_s: float | None = None, max_bytes: int | None = None
) -> list[CacheEntry]:
    """What has to go so that the cache holds nothing older and no more than that; the oldest goes first.

    Half-written things that nobody has touched for a day go in any case.
    """
    entries = sorted(entries, key=lambda entry: entry.made_at)
    now = time.time()
    gone = [
        entry
        for entry in entries
        if (entry.kind == UNFINISHED and now - entry.made_at > ABANDONED_AFTER_S)
        or (entry.kind != UNFINISHED and older_than_s is not None and now - entry.made_at > older_than_s)
    ]
    left = [entry for entry in entries if entry not in gone]
    total = sum(entry.size for entry in left)
    for entry in left if max_bytes is not None else ():
        if total <= (max_bytes or 0):
            break
        if entry.kind != UNFINISHED:  # somebody may be writing it
            gone.append(entry)
            total -= entry.size
    return gone


def of_kinds(entries: Iterable[CacheEntry], kinds: Collection[str]) -> list[CacheEntry]:
    """Entries of some kinds, or of all."""
    return [entry for entry in entries if not kinds or entry.kind in kinds]


def remove(entry: CacheEntry) -> bool:
    """Remove an entry, unless a running command is making it; whether it is gone."""
    path = entry.paths[0]
    if path.parent.name not in LOCKED:
        _remove(entry)
        return True
    try:
        with exclusive(lock_path(path.with_name(path.name.lstrip(".").partition(".")[0])), wait=False):
            _remove(entry)
    except BusyError:
        return False
    return True


def _remove(entry: CacheEntry) -> None:
    for path in entry.paths:
        discard(path)
