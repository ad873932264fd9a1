"""The command's side of tracking: hands folders to the sender's process, and never waits for it before the end."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from asdbench.core.progress import Progress
from asdbench.tracking.receipts import run_is_sent, study_is_sent, write_reason
from asdbench.tracking.store import Store

Trained = Callable[[], Mapping[Path, Sequence[str]]]
SILENT_S = 20.0  # a sender says that it lives several times a second; one that was stopped is given up
ENDED = "the sender's process ended before its work was done"
TAIL = 4096  # bytes of what it said last
STOPPED = "the sender's process does not move"
INTERRUPTED = "the command was interrupted"


class Link:
    """One sender, started when it is first needed.

    Args:
        store: where to.
        out: folder of the runs; decides the store that lies beside them.
    """

    def __init__(self, store: Store, out: Path) -> None:
        self.store = store
        self.sent = 0
        self.failed: dict[Path, str] = {}
        self.away: str | None = None
        self._out = out
        self._open: Counter[Path] = Counter()  # a folder may be handed over again before it is settled
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[bytes] | None = None  # what the process writes to its standard error
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    @property
    def missing(self) -> int:
        """Folders that were to be sent, and were not."""
        return len(self.failed)

    def start(self) -> None:
        """Start the sender, so that it is ready when the first run is."""
        if self._process is not None or self.away is not None:
            return
        try:
            self._launch()
        except Exception as error:  # no memory, no room for a file, too many processes: the runs go on
            self.away = f"the sender's process cannot be started: {self._told(error)}"

    def _launch(self) -> None:
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        # -P: what lies in the current folder is not imported. A file, not a pipe, which would end with the command.
        words = ("-P", "-W", "ignore", "-m", "asdbench.tracking.process", "--out", str(self._out))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process runs
        self._process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environ,
            start_new_session=True,  # Ctrl-C is for the command
        )  # fmt: skip
        for work in (self._write, self._read):
            threading.Thread(target=work, args=(self._process,), daemon=True).start()

    def run(self, folder: Path, trained: Trained = dict) -> None:
        """Have a run sent; one that the store has with all that lies in its folder is left out.

        Args:
            folder: of the run.
            trained: gives the folders of its trained extractors, and the machine types that share each.
        """
        with self._harmless(folder):
            if not run_is_sent(folder, self.store):
                networks = [{"folder": str(path.absolute()), "machines": [*names]} for path, names in trained().items()]
                self._hand(folder, {"run": str(folder.absolute()), "trained": networks})

    def study(self, folder: Path) -> None:
        """Have sent what is new in a study's folder: call it whenever a trial has ended."""
        with self._harmless(folder):
            if not study_is_sent(folder, self.store):
                self._hand(folder, {"study": str(folder.absolute())})

    @contextmanager
    def _harmless(self, folder: Path) -> Iterator[None]:
        """Whatever goes wrong, a file that cannot be read say, the command goes on, and tells it at its end."""
        try:
            yield
        except Exception as error:
            self._miss(folder.absolute(), self._told(error))

    def _told(self, error: Exception) -> str:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return self.store.scrubbed(lines[0])

    def _hand(self, folder: Path, message: dict[str, Any]) -> None:
        folder = folder.absolute()
        self._take_in()
        self.start()
        if self.away is not None:
            self._miss(folder, self.away)
            return
        self._open[folder] += 1
        self._lines.put(json.dumps(message))

    def finish(self, progress: Progress) -> None:
        """Wait while the sender gets on; afterwards nothing is open. Ctrl-C ends the waiting, not the command."""
        if self._process is None:
            return
        self._lines.put(None)
        reason = ENDED
        try:
            if self._open:
                with progress.stage("tracking", len(self._open)) as stage:
                    for folder in self._settled():
                        if folder not in self._open:
                            stage.advance(1, folder.name)
        except KeyboardInterrupt:
            reason = INTERRUPTED
        except TimeoutError:
            reason = STOPPED
        self._end(reason)

    def drop(self) -> None:
        """End the sender now."""
        if self._process is not None:
            self._end(INTERRUPTED)

    def _end(self, reason: str) -> None:
        assert self._process is not None
        if reason == ENDED and self._open:
            reason = self._ended()
        for folder in list(self._open):
            self._miss(folder, self.away or reason)
        self._open.clear()
        if self._process.poll() is None and not reason.startswith(ENDED):
            self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)

    def _ended(self) -> str:
        """That the process has ended, and what it said last if it ended by an error of its own."""
        said: list[str] = []
        with suppress(Exception):
            if self._process is not None and self._errors is not None and self._process.wait(1) > 0:
                self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - TAIL))
                said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"{ENDED}: {self.store.scrubbed(said[-1])}" if said else ENDED

    def _settled(self) -> Iterator[Path]:
        """Folders as they are settled, until none is open or the sender has ended."""
        heard = time.monotonic()
        while self._open and self.away is None:
            try:
                event = self._events.get(timeout=1.0)
            except queue.Empty:
                if time.monotonic() - heard > SILENT_S:
                    raise TimeoutError from None
                continue
            heard = time.monotonic()
            if "end" in event:
                return
            folder = self._note(event)
            if folder is not None:
                yield folder

    def _take_in(self) -> None:
        """Note what the sender has said so far."""
        with suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if "end" in event:
                    self.away = self.away or self._ended()
                self._note(event)

    def _note(self, event: dict[str, Any]) -> Path | None:
        if "away" in event:
            self.away = str(event["away"])
        if "folder" not in event:
            return None
        folder = Path(event["folder"])
        self._open -= Counter([folder])
        self.failed.pop(folder, None)
        if event.get("reason"):
            self.failed[folder] = event["reason"]
        elif event.get("sent"):
            self.sent += 1
        return folder

    def _miss(self, folder: Path, reason: str) -> None:
        self.failed[folder] = reason
        with suppress(Exception):  # it is a note; the run is what counts
            write_reason(folder, self.store, reason)

    def _write(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        with suppress(OSError, ValueError), process.stdin:
            while (line := self._lines.get()) is not None:
                process.stdin.write(line + "\n")
                process.stdin.flush()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with suppress(OSError, ValueError), process.stdout:
            for line in process.stdout:
                with suppress(ValueError):
                    self._events.put(json.loads(line))
        self._events.put({"end": True})


class Nowhere:
    """``--tracking none``: takes folders and sends nothing."""

    store = None
    missing = 0

    def run(self, folder: Path, trained: Trained = dict) -> None:
        """Do nothing."""

    def study(self, folder: Path) -> None:
        """Do nothing."""
