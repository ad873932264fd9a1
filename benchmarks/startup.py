"""How long the command line takes to answer, against an interpreter that does nothing and one that imports torch."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import compare, tell

PYTHON = sys.executable
LIMIT_S = 6.0
ASDBENCH = str(Path(PYTHON).with_name("asdbench"))


def run(*words: str) -> None:
    """Run a command to its end."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


for verb in ("--help", "list"):
    compare(
        f"asdbench {verb}, against python -c pass",
        lambda verb=verb: run(ASDBENCH, verb),
        lambda: run(PYTHON, "-c", "pass"),
    )

with tempfile.TemporaryDirectory() as place:
    cache = ("env", f"ASDBENCH_CACHE={place}/cache")
    words = (ASDBENCH, "run", "--extractor", "autoencoder", "-p", "autoencoder.epochs=1", "--scorer", "identity")
    words += ("--tracking", "none")

    def torch() -> None:
        """Import it."""
        run(PYTHON, "-c", "import torch")

    run(*cache, *words, "--out", f"{place}/runs")
    times: list[float] = []

    def cached() -> None:
        """Score anew what is fitted and embedded."""
        started = time.perf_counter()
        run(*cache, *words, "--out", tempfile.mkdtemp(dir=place))
        times.append(time.perf_counter() - started)

    done = "run that is done, against importing torch"
    compare(done, lambda: run(*cache, *words, "--out", f"{place}/runs"), torch, rounds=3)
    compare("run that is cached and scored anew, against importing torch", cached, torch, rounds=3)
    seconds = statistics.median(times)
    tell("run that is cached and scored anew, against its limit", seconds, LIMIT_S, seconds / LIMIT_S, at_most=1.0)
