"""Digests of recordings, remembered so that a file is read again only when it has changed."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from asdbench.core.digests import digest, file_digest
from asdbench.core.errors import UsageError
from asdbench.core.files import write_text
from asdbench.core.locks import exclusive, lock_path
from asdbench.core.store import StoredFolder, Warn

INDEX = "index.json"


class ContentDigests:
    """Digests by path; what was computed is stored in a file of ``folder`` for each folder of recordings.

    A remembered digest holds while the file's size, inode and times of change are the same.

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
        memory = self._memory(paths)
        known: dict[str, list[object]] = {}
        if memory is not None and memory.intact:
            known = json.loads((memory.path / INDEX).read_text())
        stamps = {str(path): _stamp(path) for path in paths}
        stale = [path for path, stamp in stamps.items() if known.get(path, [None])[:-1] != stamp]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, value in zip(stale, pool.map(lambda path: file_digest(Path(path)), stale), strict=True):
                known[path] = [*stamps[path], value]
        if memory is not None and stale:
            self._remember(memory, known)
        return [str(known[str(path)][-1]) for path in paths]

    def _memory(self, paths: list[Path]) -> StoredFolder | None:
        root = os.path.commonpath([str(path.parent) for path in paths])
        what = f"the digests of recordings in {root}"
        return None if self.folder is None else StoredFolder(self.folder / digest(root), what)

    def _remember(self, memory: StoredFolder, known: dict[str, list[object]]) -> None:
        with suppress(UsageError), exclusive(lock_path(memory.path)):  # where nothing may be written, it goes without
            memory.verify(self._warn)
            with memory.written() as folder:
                write_text(folder / INDEX, json.dumps(known))


def _stamp(path: Path) -> list[object]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
