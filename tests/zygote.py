"""Starts ``asdbench`` commands at once: a process that has imported everything and forks a child for each command.

Importing torch takes seconds; a test that kills twenty commands would spend its time on that. Run as a program, it
reads a JSON list of words a line and answers with the child's process id, then with its exit code (-9 for SIGKILL)
when the line "wait" comes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path


class Zygote:
    """The other side of the program below."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )

    def start(self, *words: object) -> int:
        """Start a command; its process id."""
        return int(self._ask(json.dumps([str(word) for word in words])))

    def wait(self) -> int:
        """Exit code of the command."""
        return int(self._ask("wait"))

    def end(self) -> None:
        """Stop."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def _ask(self, line: str) -> str:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def _child(words: list[str]) -> None:
    from asdbench.cli.app import app

    os.dup2(2, 1)  # standard output is the line to the test
    try:
        app(words)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    os._exit(0)


def _main() -> None:
    import asdbench.cli.results
    import asdbench.extractors.autoencoder
    import asdbench.extractors.raw_mel
    import asdbench.extractors.simclr
    import asdbench.frontends.log_mel
    import asdbench.harness.run
    import asdbench.scorers.mahalanobis
    import asdbench.scorers.neighbours  # noqa: F401
    from asdbench.extractors import training

    training.KEEP_EVERY_S = 0.0  # short epochs are kept as well, so that kills meet the writing of states
    child = 0
    for line in sys.stdin:
        if line.strip() == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            continue
        child = os.fork()
        if child == 0:
            _child(json.loads(line))
        print(child, flush=True)


if __name__ == "__main__":
    _main()
