"""Starts ``asdbench`` commands at once: a process that has imported everything and forks a child for each command.

Importing torch takes seconds; a test that kills twenty commands would spend its time on that. Run as a program, it
reads a JSON object a line: ``{"words", "environment", "log"}`` starts a command and is answered by its process id,
``{"wait": pid}`` by its exit code (-9 for SIGKILL).
"""

import json
import os
import subprocess
import sys
from pathlib import Path


class Zygote:
    """The other side of the program below."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def start(self, *words: object, cache: Path, log: Path) -> int:
        """Start a command with a cache of its own; its process id. What it says is added to the log."""
        environment = {"ASDBENCH_CACHE": str(cache)}
        return self._ask({"words": [str(word) for word in words], "environment": environment, "log": str(log)})

    def wait(self, pid: int) -> int:
        """Exit code of a command."""
        return self._ask({"wait": pid})

    def end(self) -> None:
        """Stop."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, question: dict[str, object]) -> int:
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _child(words: list[str], environment: dict[str, str], log: str) -> None:
    from asdbench.cli.app import app

    os.environ.update(environment)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):  # the standard output was the line to the test
        os.dup2(file, standard)
    code = 1
    try:
        app(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    os._exit(code)


def _told(restore):
    """Says which epoch a training begins at."""

    def told(self, *state):
        curves = restore(self, *state)
        print("begun at", len(curves.get("loss", [])), file=sys.stderr)
        return curves

    return told


def _main() -> None:
    import torch._dynamo  # noqa: F401

    from asdbench.extractors import training

    training.SAVE_EVERY_S = 0.0  # short epochs are kept as well, so that kills meet the writing of states
    training.Checkpoints.restore = _told(training.Checkpoints.restore)
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            print(os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1]), flush=True)
            continue
        child = os.fork()
        if child == 0:
            _child(**question)
        print(child, flush=True)


if __name__ == "__main__":
    _main()
