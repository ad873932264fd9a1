"""The other side of the line: what a worker process does, and how it reports."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from asdbench.harness.plan import Plan
from asdbench.harness.tasks import perform

SAY_EVERY_S = 0.1  # how often a worker reports its steps


def work(line: Connection, plan: Plan, cores: int) -> None:
    """What a worker does: tasks, until the line is closed."""
    progress = RemoteProgress(line)
    with suppress(EOFError, OSError):
        while True:
            task, wait_for_others = line.recv()
            progress.send("result", perform(plan, task, progress, jobs=cores, wait=wait_for_others))


class RemoteProgress:
    """Sends stages and notes over a line to the process that shows them."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._one_at_a_time = threading.Lock()
        self._count = 0

    def send(self, *message: Any) -> None:
        """Send one message whole."""
        with self._one_at_a_time:
            self._line.send(message)

    def note(self, message: str) -> None:
        """Pass on a note."""
        self.send("note", message)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator["RemoteStage"]:
        """Open a stage over there."""
        self._count += 1
        number = self._count
        self.send("open", number, name, total)
        stage = RemoteStage(self, number)
        yield stage
        stage.flush()
        self.send("close", number)

    overall = stage


class RemoteStage:
    """Counts here and reports now and then."""

    def __init__(self, progress: RemoteProgress, number: int) -> None:
        self._progress = progress
        self._number = number
        self._steps = 0
        self._detail = ""
        self._said = 0.0

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Count."""
        self._steps += steps
        self._detail = detail or self._detail
        if time.monotonic() - self._said >= SAY_EVERY_S:
            self.flush()
            self._said = time.monotonic()

    def flush(self) -> None:
        """Report what was counted since the last time."""
        if self._steps:
            self._progress.send("advance", self._number, self._steps, self._detail)
            self._steps = 0
