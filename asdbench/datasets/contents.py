"""Digests of recordings, remembered so that a file is read again only when it has changed.

Listing a folder is not remembered: looking at every file again, which is what tells a change, takes most of it.
"""

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from asdbench.core.digests import digest, file_digest
from asdbench.core.errors import UsageError
from asdbench.core.files import write_text
from asdbench.core.locks import exclusive, lock_path
from asdbench.core.store import StoredFolder, Warn

INDEX = "index.json"
FORMAT = 2  # of the memory; raised when it changes
LENGTH = 32  # of a digest
BATCH = 32  # files that a thread reads before it looks for others
RECENT_NS = 2 * 10**9  # file systems count time in steps of up to 2 s: what changes twice in one has one stamp


class ContentDigests:
    """Digests by path; what was computed is stored in a file of ``folder`` for each folder of recordings.

    A remembered digest holds while the file's size, inode and times of change are the same. What changed just before
    it was read is not remembered, since it may change again with the same times.

    Args:
        folder: where the memory lies; None remembers nothing.
        warn: is called in one line when the memory is damaged.
    """

    def __init__(self, folder: Path | None, warn: Warn = lambda _: None) -> None:
        self.folder = folder
        self._warn = warn

    def of(self, paths: list[Path]) -> list[str]:
        """Digests of the files' bytes, in the order of ``paths``."""
        if not paths:
            return []
        names = [str(path) for path in paths]
        memory = self._memory(names)
        known: dict[str, str] = {}  # stamp and digest, by path
        if memory is not None and memory.intact:
            known = json.loads((memory.path / INDEX).read_bytes())
        now = time.time_ns()
        digests, stale, recent = [], [], []
        for place, name in enumerate(names):
            stamp, changed_ns = _stamp(name)
            remembered = known.get(name, "")
            digests.append(remembered[-LENGTH:])
            if remembered[:-LENGTH] != stamp:
                stale.append((place, stamp))
                if now - changed_ns < RECENT_NS:
                    recent.append(place)
        computed = _digests([paths[place] for place, _ in stale])
        for (place, stamp), value in zip(stale, computed, strict=True):
            digests[place] = value
            known[names[place]] = stamp + value
        for place in recent:
            del known[names[place]]
        if memory is not None and len(stale) > len(recent):
            self._remember(memory, known)
        return digests

    def _memory(self, names: list[str]) -> StoredFolder | None:
        root = os.path.commonpath({os.path.dirname(name) for name in names})  # noqa: PTH120
        what = f"the digests of recordings in {root}"
        return None if self.folder is None else StoredFolder(self.folder / digest([FORMAT, root]), what)

    def _remember(self, memory: StoredFolder, known: dict[str, str]) -> None:
        with suppress(UsageError), exclusive(lock_path(memory.path)):  # where nothing may be written, it goes without
            memory.verify(self._warn)
            with memory.written() as folder:
                write_text(folder / INDEX, json.dumps(known))


def _digests(paths: Sequence[Path]) -> list[str]:
    """Digests of files' bytes, read by as many threads as there are cores."""
    batches = [paths[first : first + BATCH] for first in range(0, len(paths), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        computed = pool.map(lambda batch: [file_digest(path) for path in batch], batches)
        return [value for batch in computed for value in batch]


def _stamp(name: str) -> tuple[str, int]:
    """What changes when a file does, and the time of its last change (ns since 1970)."""
    state = os.stat(name)  # noqa: PTH116  # pathlib's takes longer
    stamp = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino} "
    return stamp, max(state.st_mtime_ns, state.st_ctime_ns)
