"""Progress that is reported by other processes: sent over a line of each, shown by the command."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import current_process
from multiprocessing.connection import Connection, Listener
from typing import Any, Protocol, Self

from asdbench.core.progress import Progress, Stage

SAY_EVERY_S = 0.1  # how often a process reports its steps


class Line(Protocol):
    """What messages are sent over."""

    def send(self, message: Any) -> None:
        """Send one message whole."""


class RemoteProgress:
    """Sends stages and notes over a line to the process that shows them."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._one_at_a_time = threading.Lock()
        self._count = 0

    def send(self, *message: Any) -> None:
        """Send one message whole; nothing where nobody listens any more."""
        with self._one_at_a_time, suppress(OSError):
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
        try:
            yield stage
        finally:
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


class Relay:
    """Shows the stages and notes that one process sends."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stages: dict[int, tuple[ExitStack, Stage]] = {}

    def take(self, kind: str, *content: Any) -> None:
        """Show one message."""
        if kind == "note":
            self._progress.note(content[0])
        elif kind == "open":
            stack = ExitStack()
            self._stages[content[0]] = stack, stack.enter_context(self._progress.stage(*content[1:]))
        elif kind == "advance":
            self._stages[content[0]][1].advance(*content[1:])
        elif kind == "close":
            self._stages.pop(content[0])[0].close()

    def close(self) -> None:
        """Close the stages of a process that will not."""
        for stack, _ in self._stages.values():
            stack.close()
        self._stages = {}


class ProgressReceiver:
    """Listens to processes, each on a line of its own, so that one that dies disturbs no other.

    Use as a context manager; leaving it waits for what was sent.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._one_at_a_time = threading.Lock()
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = Listener(authkey=bytes(current_process().authkey))
        self.address = self._listener.address
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for reader in self._readers:
            reader.join(1.0)

    def _accept(self) -> None:
        while True:
            try:
                line = self._listener.accept()
            except (OSError, EOFError):  # closed
                return
            except Exception:  # somebody without the key
                continue
            reader = threading.Thread(target=self._read, args=(line,), daemon=True)
            self._readers.append(reader)
            reader.start()

    def _read(self, line: Connection) -> None:
        relay = Relay(self._progress)
        with suppress(EOFError, OSError):
            while True:
                message = line.recv()
                with self._one_at_a_time:
                    relay.take(*message)
        with self._one_at_a_time:
            relay.close()
