"""Progress of other processes: each sends messages over a connection of its own, and the command shows them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import current_process
from multiprocessing.connection import Connection, Listener
from typing import Any, Self

from asdbench.core.progress import Progress, Stage

REPORT_EVERY_S = 0.1  # how often a process reports its steps


class RemoteProgress:
    """Sends stages and notes to the process that shows them; nothing where nobody listens any more."""

    def __init__(self, send: Callable[[tuple[Any, ...]], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._count = 0

    def send(self, *message: Any) -> None:
        """Send one message whole."""
        with self._lock, suppress(OSError):
            self._send(message)

    def note(self, message: str) -> None:
        """Pass on a note."""
        self.send("note", message)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator["_RemoteStage"]:
        """Open a stage over there."""
        self._count += 1
        number = self._count
        self.send("open", number, name, total)
        stage = _RemoteStage(self, number)
        try:
            yield stage
        finally:
            stage.flush()
            self.send("close", number)

    overall = stage


class _RemoteStage:
    """Counts here and reports now and then."""

    def __init__(self, progress: RemoteProgress, number: int) -> None:
        self._progress = progress
        self._number = number
        self._steps = 0
        self._detail = ""
        self._reported = 0.0

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Count."""
        self._steps += steps
        self._detail = detail or self._detail
        if time.monotonic() - self._reported >= REPORT_EVERY_S:
            self.flush()
            self._reported = time.monotonic()

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

    def show(self, kind: str, *content: Any) -> None:
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
    """Listens to processes, each on a connection of its own, so that one that dies disturbs no other.

    A process sends the number of each of its tasks when it begins with it. Use as a context manager; leaving it waits
    for what was sent.
    """

    def __init__(self) -> None:
        self._expected: dict[int, Progress] = {}
        self._lock = threading.Lock()
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

    def expect(self, number: int, progress: Progress) -> None:
        """Where to show what the task of this number reports."""
        self._expected[number] = progress

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError):  # closed
                return
            except Exception:  # somebody without the key
                continue
            reader = threading.Thread(target=self._read, args=(connection,), daemon=True)
            self._readers.append(reader)
            reader.start()

    def _read(self, connection: Connection) -> None:
        relay: Relay | None = None
        with suppress(EOFError, OSError):
            while True:
                kind, *content = connection.recv()
                with self._lock:
                    if kind == "task":
                        relay = Relay(self._expected.pop(content[0]))
                    elif relay is not None:
                        relay.show(kind, *content)
        with self._lock:
            if relay is not None:
                relay.close()
