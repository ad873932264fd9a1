"""Digests of recordings, remembered so that a file is read again only when it has changed."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from asdbench.core.digests import digest, file_digest
from asdbench.core.errors import UsageError
from asdbench.core.files import write_text


class ContentDigests:
    """Digests by path; what was computed is kept in a file of ``folder`` for each folder of recordings.

    A remembered digest holds while the file's size, inode and times of change are the same.

    Args:
        folder: where the memory lies; None remembers nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def of(self, paths: list[Path]) -> list[str]:
        """Digests of the files' bytes, in the order of ``paths``."""
        if not paths:
            return []
        memory = self._memory_file(paths)
        known: dict[str, list[object]] = {}
        if memory is not None and memory.is_file() and os.access(memory, os.R_OK):
            known = json.loads(memory.read_text())
        stamps = {str(path): _stamp(path) for path in paths}
        stale = [path for path, stamp in stamps.items() if known.get(path, [None])[:-1] != stamp]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, value in zip(stale, pool.map(lambda path: file_digest(Path(path)), stale), strict=True):
                known[path] = [*stamps[path], value]
        if memory is not None and stale:
            with suppress(UsageError):  # of a cache that one may only read; the files are read again another time
                write_text(memory, json.dumps(known))
        return [str(known[str(path)][-1]) for path in paths]

    def _memory_file(self, paths: list[Path]) -> Path | None:
        root = os.path.commonpath([str(path.parent) for path in paths])
        return None if self.folder is None else self.folder / f"{digest(root)}.json"


def _stamp(path: Path) -> list[object]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
