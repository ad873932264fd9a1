"""Starts ``asdbench`` commands at once: a process that has imported everything and forks a child for each command.

Importing torch, timm, scikit-learn and the rest takes seconds of each command; tests that kill twenty of them would
spend their time on that. All processes of a test run share one: it forks a server for each of them, which reads a JSON
object a line: ``{"words", "environment", "log", "out", "folder"}`` starts a command and is answered by its process id,
``{"wait": pid}`` by its exit code (-9 for SIGKILL), ``{"ended": pid}`` by 1 when it need not be waited for.
"""

import json
import multiprocessing.util
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from filelock import FileLock

IMPORTED = (
    "IPython.core.interactiveshell", "matplotlib.pyplot",
    "optuna", "pandas", "rich.progress", "scipy.stats", "sklearn.covariance", "sklearn.metrics", "sklearn.neighbors",
    "sqlalchemy", "timm", "torch._dynamo", "torchaudio", "asdbench.cli.app", "asdbench.cli.run", "asdbench.cli.tune",
    "asdbench.extractors.simclr", "asdbench.harness.executors", "asdbench.tuning.tune",
)  # fmt: skip


class Zygote:
    """The other side of the program below.

    Args:
        place: a folder of the test run, which all of its processes see.
    """

    def __init__(self, place: Path) -> None:
        self._process = None
        with FileLock(place / "zygote.lock"):
            self._line = _connected(place / "zygote")
            if self._line is None:
                self._process = subprocess.Popen(
                    [sys.executable, __file__],
                    stdin=subprocess.PIPE,  # open as long as this process is there
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
                (place / "zygote").write_text(self._process.stdout.readline())
                self._line = _connected(place / "zygote")
        self._answers = self._line.makefile()

    def start(self, *words: object, cache: Path, log: Path, out: Path | None = None, **environment: str) -> int:
        """Start a command where the caller stands, with a cache of its own; its process id. Or the cells of a notebook.

        What it says is added to the log; what it prints on its standard output to ``out``, if that is given.
        """
        environment = {"ASDBENCH_CACHE": str(cache), **environment}
        files = {"log": str(log), "out": str(out or log), "folder": str(Path.cwd())}
        return self._ask({"words": [str(word) for word in words], "environment": environment, **files})

    def wait(self, pid: int) -> int:
        """Exit code of a command."""
        return self._ask({"wait": pid})

    def has_ended(self, pid: int) -> bool:
        """Whether waiting for it takes no time."""
        return bool(self._ask({"ended": pid}))

    def end(self) -> None:
        """Stop."""
        self._answers.close()
        self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _ask(self, question: dict[str, object]) -> int:
        self._line.sendall(json.dumps(question).encode() + b"\n")
        return int(self._answers.readline())


def _connected(address: Path) -> socket.socket | None:
    """A line to the zygote of this test run, if there is one."""
    with suppress(OSError, ValueError):
        return socket.create_connection(("127.0.0.1", int(address.read_text())))
    return None


def _child(words: list[str], environment: dict[str, str], log: str, out: str, folder: str) -> None:
    os.environ.update(environment)
    os.chdir(folder)
    for standard, file in ((1, out), (2, log)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), standard)
    _do(words)


def _do(words: list[str]) -> None:
    """A command, or the cells of a notebook, and the end of this process."""
    from asdbench.cli.app import app

    code = 1
    try:
        if words[0].endswith(".ipynb"):
            _run_cells(Path(words[0]))
            code = 0
        else:
            app(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def _run_cells(notebook: Path) -> None:
    """Run the cells as a kernel does."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.text import SList
    from traitlets.config import Config

    class Shell(InteractiveShell):
        def system(self, command: str) -> None:
            """What follows "!": a command of asdbench alone is forked from here, all others go to a shell."""
            words = shlex.split(self.var_expand(command, depth=1))
            if words[0] == "asdbench" and "|" not in words:
                sys.stdout.flush()
                child = os.fork()
                if child == 0:
                    _do(words[1:])
                self.user_ns["_exit_code"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            else:
                self.system_raw(command)

        def getoutput(self, command: str, *_: object, depth: int = 0) -> SList:
            """What follows "= !": lines of what it prints."""
            sys.stdout.flush()
            screen = os.dup(1)
            with tempfile.TemporaryFile() as file:
                os.dup2(file.fileno(), 1)
                try:
                    self.system(command)
                finally:
                    os.dup2(screen, 1)
                    os.close(screen)
                file.seek(0)
                return SList(file.read().decode().splitlines())

    shell = Shell(config=Config({"HistoryManager": {"enabled": False}}))
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            shell.run_cell("".join(cell["source"])).raise_error()


def _forked(_program: bytes, words: list[str], kept: list[int]) -> int:
    """In place of ``spawnv_passfds``: a server of multiprocessing begins with all that is imported here."""
    process = os.fork()
    if process == 0:
        for handle in {int(one.name) for one in Path("/proc/self/fd").iterdir()} - {0, 1, 2, *kept}:
            with suppress(OSError):
                os.close(handle)  # among them the end of the pipe by which the server learns that the command is gone
        try:
            exec(words[words.index("-c") + 1], {"__name__": "__main__"})
        finally:  # whatever ends it does not end in the command that it was forked from
            os._exit(0)
    return process


def _serve(line: socket.socket) -> None:
    """Do what one process of the test run asks for, until it is gone."""
    with line.makefile() as questions:
        for text in questions:
            question = json.loads(text)
            if "wait" in question:
                answer = os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1])
            elif "ended" in question:
                answer = os.waitid(os.P_PID, question["ended"], os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            else:
                answer = os.fork()
                if answer == 0:
                    line.close()
                    _child(**question)
            line.sendall(b"%d\n" % answer)


def _told(restore):
    """Says which epoch a training begins at."""

    def told(self, *state):
        curves = restore(self, *state)
        print("begun at", len(curves.get("loss", [])), file=sys.stderr)
        return curves

    return told


def _main() -> None:
    for name in IMPORTED:
        with suppress(ModuleNotFoundError):  # of an extra
            import_module(name)
    from asdbench.detector import watching
    from asdbench.extractors import training

    watching.WAKE_MS = 50  # what has settled is scored at once
    training.SAVE_EVERY_S = 0.0  # short epochs are kept as well, so that kills meet the writing of states
    training.Checkpoints.restore = _told(training.Checkpoints.restore)
    if Path("/proc/self/fd").is_dir():
        multiprocessing.util.spawnv_passfds = _forked
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _serve(line)
                os._exit(0)
            line.close()


if __name__ == "__main__":
    _main()
