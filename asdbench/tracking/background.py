"""A process of its own that logs to MLflow while a command works, and after it: no command waits for MLflow.

Run as ``python -m asdbench.tracking.background FD``, where the file descriptor holds a ``Task`` as JSON, it looks at
the folders of the task again and again, until its standard input ends, which it does with the command, and all is sent.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from asdbench.tracking.marks import files_of, is_sent
from asdbench.tracking.store import Store, store_of
from asdbench.tracking.sync import Sender

NICE = 10  # the runs come first
LOOK_EVERY_S = 0.5
TAIL = 4096  # bytes of what the process printed last


@dataclass(frozen=True)
class Task:
    """What one command may have to send.

    Attributes:
        out: folder of the runs, which decides the store.
        folders: of runs and studies, absolute; they need not be there yet.
        data_root: of challenges' recordings.
        plugin_path: folders of components.
    """

    out: str
    folders: Sequence[str]
    data_root: str | None = None
    plugin_path: Sequence[str] = ()


class Background:
    """The command's side: starts the process, and says that the command has ended.

    Args:
        task: for the process.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, task: Task) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # a pipe would end with the command
        with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
            json.dump(asdict(task), file)
            file.seek(0)
            # -P: nothing is imported from the working directory. By file, as arguments are seen by everybody.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-m", __name__, str(file.fileno())],
                stdin=subprocess.PIPE, stdout=self._output, stderr=self._output, pass_fds=[file.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for the command
            )  # fmt: skip
        threading.Thread(target=self._process.wait, daemon=True).start()  # leaves no zombie in a long-lived program

    def close(self, wait_s: float = 0.0) -> bool:
        """Say that the command has ended; whether the process has ended too, after waiting for it so long at most."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.wait(wait_s)
        return self._process.poll() is not None

    def last_line(self) -> str:
        """What the process printed last; empty where nothing went wrong."""
        self._output.seek(max(0, self._output.seek(0, os.SEEK_END) - TAIL))
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def start(task: Task) -> tuple[Background | None, str]:
    """Start the process; where that fails (no memory, too many processes) nothing and the reason."""
    try:
        return Background(task), ""
    except OSError as error:
        return None, f"no process can be started: {error.strerror or error}"


def work(task: Task, store: Store, command: int) -> None:
    """Send until the command has ended, and what it left by then.

    Args:
        task: what to send.
        store: where to.
        command: process id of the command, which is our parent while it lives.
    """
    sender = Sender(store, Path(task.data_root) if task.data_root else None, [*map(Path, task.plugin_path)])
    folders = [*map(Path, task.folders)]
    with suppress(Exception):  # what is wrong is met again
        if not all(is_sent(folder, store) for folder in folders):
            sender.connect()  # before there is something to send
    settled: dict[Path, list[tuple[int, int]]] = {}  # what a folder held when it was sent or refused
    ended = False
    while not ended:
        # The end is seen before the look, so that nothing is missed. The pipe alone would not do: forks hold it open.
        ended = bool(select.select([sys.stdin], [], [], LOOK_EVERY_S)[0]) or os.getppid() != command
        for folder in folders:
            with suppress(OSError):  # a run that is being replaced is looked at again
                state = [(status.st_mtime_ns, status.st_size) for status in map(Path.stat, files_of(folder))]
                is_new = state and settled.get(folder) != state
                if is_new and (is_sent(folder, store) or sender.send(folder).state != "away"):
                    settled[folder] = state


def main() -> None:
    """Entry point of the process."""
    command = os.getppid()
    with os.fdopen(int(sys.argv[1]), encoding="utf-8") as file:
        task = Task(**json.load(file))
    with suppress(OSError):
        os.nice(NICE)
    store = store_of(Path(task.out))
    try:
        work(task, store, command)
    except Exception as error:
        print(store.scrubbed(f"{type(error).__name__}: {error}"))
    sys.stdout.flush()
    os._exit(0)  # without the seconds that an interpreter with many libraries takes to leave


if __name__ == "__main__":
    main()
