"""How long the command line takes to answer, against an interpreter that does nothing."""

import subprocess
import sys
from pathlib import Path

from timing import compare

ASDBENCH = str(Path(sys.executable).with_name("asdbench"))


def run(*words: str) -> None:
    """Run a command to its end."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


for verb in ("--help", "list"):
    compare(f"asdbench {verb}", lambda verb=verb: run(ASDBENCH, verb), lambda: run(sys.executable, "-c", "pass"))
