"""The cache of everything that can be computed again: what it holds, limits, and clearing."""

import time
from collections.abc import Collection, Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from asdbench.core.locks import BusyError, exclusive, lock_path
from asdbench.core.store import discard

KINDS = ("features", "views", "trained", "embeddings", "datasets", "digests")
LOCKED = ("features", "views", "trained", "datasets")  # kinds whose makers take a lock
UNFINISHED = "unfinished"
ABANDONED_AFTER_S = 24 * 3600.0  # what a process writes is touched more often than that


@dataclass(frozen=True)
class CacheEntry:
    """One thing in the cache: the features of some clips, a trained extractor ..."""

    kind: str  # of ``KINDS``, or ``UNFINISHED`` for what was left half-written by a killed process
    paths: tuple[Path, ...]  # its folder, and that of a training under way
    size: int  # bytes
    made_at: float  # seconds since the epoch, of the newest of its files


def cache_entries(root: Path) -> list[CacheEntry]:
    """Everything in the cache, oldest first."""
    entries = []
    for kind in KINDS:
        groups: dict[tuple[str, str], list[Path]] = {}
        for path in sorted((root / kind).iterdir()) if (root / kind).is_dir() else ():
            hidden = path.name.startswith(".")
            key = (UNFINISHED, path.name) if hidden else (kind, path.name.partition(".")[0])
            groups.setdefault(key, []).append(path)
        for (group_kind, _), paths in groups.items():
            files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else (path,))]
            states = []
            for file in files:
                with suppress(FileNotFoundError):  # what a running command has removed
                    states.append(file.stat())
            states = [state for state in states if S_ISREG(state.st_mode)]
            if states or any(path.exists() for path in paths):
                newest = max((state.st_mtime for state in states), default=time.time())
                entries.append(CacheEntry(group_kind, tuple(paths), sum(one.st_size for one in states), newest))
    return sorted(entries, key=lambda entry: entry.made_at)


def to_prune(
    entries: Iterable[CacheEntry], *, older_than_s: float | None = None, max_bytes: int | None = None
) -> list[CacheEntry]:
    """What has to go so that the cache has nothing older and no more than that; the oldest goes first.

    Half-written things that nobody has touched for a day go in any case.
    """
    gone: list[CacheEntry] = []
    left: list[CacheEntry] = []
    now = time.time()
    for entry in sorted(entries, key=lambda entry: entry.made_at):
        limit_s = ABANDONED_AFTER_S if entry.kind == UNFINISHED else older_than_s
        (gone if limit_s is not None and now - entry.made_at > limit_s else left).append(entry)
    total = sum(entry.size for entry in left)
    for entry in left:
        if max_bytes is not None and total > max_bytes and entry.kind != UNFINISHED:  # which somebody may be writing
            gone.append(entry)
            total -= entry.size
    return gone


def of_kinds(entries: Iterable[CacheEntry], kinds: Collection[str]) -> list[CacheEntry]:
    """Entries of some kinds, or of all."""
    return [entry for entry in entries if not kinds or entry.kind in kinds]


def remove(entry: CacheEntry) -> bool:
    """Remove an entry, unless a running command is making it; whether it is gone."""
    path = entry.paths[0]
    lock = lock_path(path.with_name(path.name.lstrip(".").partition(".")[0]))
    try:
        with exclusive(lock, wait=False) if path.parent.name in LOCKED else nullcontext():
            for one in entry.paths:
                discard(one)
    except BusyError:
        return False
    return True
