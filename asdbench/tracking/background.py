"""How ``run`` and ``tune`` track: a process of its own logs to MLflow while they work, and after; neither waits for it.

Run as ``python -m asdbench.tracking.background``, it reads from its standard input what to send, as a line of JSON, and
looks at the folders again and again, until that input ends, which it does with the command, and all is sent.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from asdbench.core.progress import Progress
from asdbench.harness.spec import RunSpec
from asdbench.tracking.marks import files_of, is_sent, read_mark
from asdbench.tracking.store import Store, store_of
from asdbench.tracking.sync import Sender

WAIT_S = 2.0  # at the end of a command
NICE = 10  # the runs come first
LOOK_EVERY_S = 0.5
TAIL = 4096  # bytes of what the process printed last


class Background:
    """The command's side: starts the process, and says that the command has ended.

    Args:
        out: folder of the runs, which decides the store.
        folders: of runs and studies; they need not be there yet.
        data_root: of challenges' recordings.
        plugin_path: folders of components.

    Raises:
        OSError: no process can be started.
    """

    def __init__(
        self, out: Path, folders: Sequence[Path], data_root: Path | None = None, plugin_path: Sequence[Path] = ()
    ) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # a pipe would end with the command
        # -P: nothing is imported from the working directory.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", __name__],
            stdin=subprocess.PIPE, stdout=self._output, stderr=self._output,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the command
        )  # fmt: skip
        task = {
            "out": str(out.absolute()),
            "folders": [str(folder.absolute()) for folder in folders],
            "data_root": None if data_root is None else str(data_root.absolute()),
            "plugin_path": [str(path.absolute()) for path in plugin_path],
        }
        assert self._process.stdin is not None
        self._input = self._process.stdin
        with suppress(OSError):  # it has ended at once
            self._input.write(json.dumps(task).encode() + b"\n")
            self._input.flush()
        threading.Thread(target=self._process.wait, daemon=True).start()  # leaves no zombie in a long-lived program

    def close(self, wait_s: float = 0.0) -> bool:
        """Say that the command has ended; whether the process has ended too, after waiting for it so long at most."""
        with suppress(OSError):
            self._input.close()
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.wait(wait_s)
        return self._process.poll() is not None

    def last_line(self) -> str:
        """What the process printed last; empty where nothing went wrong."""
        self._output.seek(max(0, self._output.seek(0, os.SEEK_END) - TAIL))
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


@contextmanager
def tracked(spec: RunSpec, folders: Sequence[Path], progress: Progress, *, new: bool = False) -> Iterator[None]:
    """Log what comes to lie in the folders, in a process that neither delays nor fails the command.

    The end of it is awaited for two seconds at most, and a note says what is not sent by then.

    Args:
        spec: out, tracking, data_root and plugin_path are used.
        folders: of runs and studies; they need not be there yet.
        progress: of the command.
        new: there will be something to send, though all that is there was sent.
    """
    if spec.tracking == "none":
        yield
        return
    store = store_of(spec.out)
    sender, failure = None, ""

    def start() -> None:
        nonlocal sender, failure
        try:
            sender = Background(spec.out, folders, spec.data_root, spec.plugin_path)
        except OSError as error:  # no memory, too many processes
            failure = f"no process can be started: {error.strerror or error}"

    if new or not all(is_sent(folder, store) for folder in folders):
        start()
    try:
        yield
        unsent = [folder for folder in folders if files_of(folder) and not is_sent(folder, store)]
        if unsent and sender is None and not failure:  # something that was added to a run that was sent before
            start()
    finally:
        if sender is not None:
            sender.close()
    ended = True
    if unsent and sender is not None:
        ended = sender.close(WAIT_S)
        unsent = [folder for folder in unsent if not is_sent(folder, store)]
        failure = sender.last_line() if ended else ""
    if unsent:
        progress.note(_unsent_line(unsent, store, spec.out, ended, failure))


def _unsent_line(folders: Sequence[Path], store: Store, out: Path, ended: bool, failure: str) -> str:
    where = "" if out == Path("runs") else f" --out {out}"
    count = f"{len(folders)} {'is' if len(folders) == 1 else 'are'}"
    if not ended:
        return f"tracking: {count} still being sent to {store.shown} in the background: asdbench track status{where}"
    reasons = "; ".join(dict.fromkeys(filter(None, (read_mark(folder, store).reason for folder in folders))))
    reason = reasons or store.scrubbed(failure) or "the process that sends ended"
    return f"tracking: {count} not sent: {reason}. Later: asdbench track sync{where}"


def send_until_ended(sender: Sender, folders: Sequence[Path], command: int) -> None:
    """Send until the command has ended, and what it left by then.

    Args:
        sender: to the store.
        folders: of runs and studies.
        command: process id of the command, which is our parent while it lives.
    """
    with suppress(Exception):  # what is wrong is met again
        if not all(is_sent(folder, sender.store) for folder in folders):
            sender.connect()  # before there is something to send
    settled: dict[Path, list[tuple[int, int]]] = {}  # the files of a folder when it was sent or refused
    has_ended = False
    while not has_ended:
        # The end is seen before the look, so that nothing is missed. The pipe alone would not do: forks keep it open.
        has_ended = bool(select.select([sys.stdin], [], [], LOOK_EVERY_S)[0]) or os.getppid() != command
        for folder in folders:
            with suppress(OSError):  # a run that is being replaced is looked at again
                state = [(status.st_mtime_ns, status.st_size) for status in map(Path.stat, files_of(folder))]
                is_new = state and settled.get(folder) != state
                if is_new and (is_sent(folder, sender.store) or sender.send(folder).state != "away"):
                    settled[folder] = state


def main() -> None:
    """Entry point of the process."""
    command = os.getppid()
    task = json.loads(sys.stdin.readline())
    with suppress(OSError):
        os.nice(NICE)
    store = store_of(Path(task["out"]))
    data_root = Path(task["data_root"]) if task["data_root"] else None
    sender = Sender(store, data_root, [*map(Path, task["plugin_path"])])
    try:
        send_until_ended(sender, [*map(Path, task["folders"])], command)
    except Exception as error:
        print(store.scrubbed(f"{type(error).__name__}: {error}"))
    sys.stdout.flush()
    os._exit(0)  # without the seconds that an interpreter with many libraries takes to leave


if __name__ == "__main__":
    main()
