"""Score what is added to a folder, until stopped; what was scored before is not scored again after a restart.

A journal beside the detector holds one JSON line for each result. A result is written there before it is handed out, so
that a recording is scored once, however the command ends.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.files import clear_disk_full, clear_write_errors
from asdbench.core.locks import BusyError, exclusive
from asdbench.detector.recordings import Recording, recordings_below
from asdbench.detector.results import Scored
from asdbench.detector.scoring import AT_ONCE

SETTLE_S = 2.0  # that a file is unchanged before it is taken to be whole
PATIENCE = 5.0  # times as long until one that cannot be scored is given up, which may be written slowly
WAKE_MS = 500
RESCAN_S = 30.0  # where a file system, over a network for instance, does not tell of every change
State = tuple[int, int]  # size and time of the last change (ns)
Score = Callable[[Sequence[Recording]], Scored]


class Journal:
    """What was scored: a line for each result."""

    def __init__(self, path: Path, detector: str, folder: Path) -> None:
        self._path = path
        # Results of another detector, or of another folder, do not count.
        self._known = {"detector": detector, "folder": str(folder.resolve())}
        self.done: dict[str, State] = {}
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:  # the command was killed while it wrote
            with path.open("r+b") as file:
                file.truncate(len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                if self._known.items() <= entry.items():
                    self.done[entry["path"]] = (entry["size"], entry["mtime_ns"])
            except (ValueError, LookupError, AttributeError) as error:
                raise AsdbenchError(
                    f"{path}, line {number}, is no result of asdbench.\nMend it, or name another file: --journal FILE"
                ) from error

    def add(self, result: dict[str, Any], state: State) -> None:
        """Write a result."""
        line = json.dumps({**self._known, "size": state[0], "mtime_ns": state[1], **result}) + "\n"
        with (
            clear_disk_full(self._path),
            clear_write_errors(self._path, "--journal FILE"),
            self._path.open("ab") as file,
        ):
            file.write(line.encode())
        self.done[result["path"]] = state

    def sync(self) -> None:
        """Make what was written last through a loss of power."""
        with self._path.open("ab") as file:
            os.fsync(file.fileno())


def watch(
    score: Score, folder: Path, journal_path: Path, detector: str, *, settle_s: float = SETTLE_S
) -> Iterator[dict[str, Any]]:
    """Results of recordings that lie in a folder or come later, as ``asdbench score --json`` has them, with the time.

    Args:
        score: scores a few recordings.
        folder: that is watched, with the folders in it.
        journal_path: where results are written.
        detector: digest of the detector.
        settle_s: that a file is unchanged before it is taken to be whole.

    Raises:
        UsageError: there is no such folder, or another command watches with the same journal.
        AsdbenchError: the folder is gone, or the journal is damaged.
    """
    if not folder.is_dir():
        raise UsageError(f"--watch {folder}: there is no such folder.")
    lock = journal_path.with_name(f".{journal_path.name}.lock")
    try:
        with clear_write_errors(journal_path, "--journal FILE"), exclusive(lock, wait=False):
            journal = Journal(journal_path, detector, folder)
            waiting: dict[str, tuple[State, float]] = {}  # state, and since when it is so
            scanned = -RESCAN_S
            for changed in _changes(folder):
                _require(folder)
                now = time.monotonic()
                if changed or now - scanned >= RESCAN_S:
                    _look(folder, journal, waiting, now)
                    scanned = now
                yield from _results(score, folder, journal, waiting, settle_s)
    except BusyError as error:
        raise UsageError(f"Another command watches with {journal_path}.\nFor this one: --journal FILE") from error
    except FileNotFoundError:
        _require(folder)
        raise


def _changes(folder: Path) -> Iterator[bool]:
    """Whether something has changed in a folder, at least every ``WAKE_MS``."""
    from watchfiles import watch as changes
    from watchfiles._rust_notify import WatchfilesRustInternalError

    while True:
        unseen = True  # what has come before the system tells of changes
        try:
            for changed in changes(folder, rust_timeout=WAKE_MS, yield_on_timeout=True, raise_interrupt=True):
                yield bool(changed) or unseen
                unseen = False
        except WatchfilesRustInternalError:  # of a name that is no UTF-8 it can only say that there is something
            yield True
            time.sleep(WAKE_MS / 1000)


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise AsdbenchError(
            f"The folder {folder} is gone.\nOnce it is back, the same command goes on; nothing is scored twice."
        )


def _look(folder: Path, journal: Journal, waiting: dict[str, tuple[State, float]], now: float) -> None:
    """Note new recordings, and changed ones."""
    seen = set()
    for one in recordings_below(folder):
        state = _state(one.file)
        if state is None or journal.done.get(one.path) == state:
            continue
        seen.add(one.path)
        if one.path not in waiting or waiting[one.path][0] != state:
            waiting[one.path] = (state, now)
    for gone in set(waiting) - seen:
        del waiting[gone]


def _results(
    score: Score, folder: Path, journal: Journal, waiting: dict[str, tuple[State, float]], settle_s: float
) -> Iterator[dict[str, Any]]:
    """Score what has not changed for a while."""
    now = time.monotonic()
    for path, (state, _) in list(waiting.items()):
        current = _state(folder / path)
        if current is None:
            del waiting[path]
        elif current != state:
            waiting[path] = (current, now)
    ready = sorted(path for path, (_, since) in waiting.items() if now - since >= settle_s)
    for start in range(0, len(ready), AT_ONCE):
        paths = ready[start : start + AT_ONCE]
        for path, result in zip(paths, score([Recording(folder / path, path) for path in paths]), strict=True):
            state, since = waiting[path]
            if _state(folder / path) != state or (result.error is not None and now - since < PATIENCE * settle_s):
                continue  # it is still being written
            del waiting[path]
            line = {**result.to_json(), "scored_at": datetime.now(UTC).isoformat(timespec="seconds")}
            journal.add(line, state)
            yield line  # at once: a command that is killed between the two has not shown what is in the journal
            journal.sync()


def _state(file: Path) -> State | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
