"""The demo with tracking, and with a server that is down, against the demo without; each on one core, at once."""

import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import Command, compare_at_once

ASDBENCH = str(Path(sys.executable).with_name("asdbench"))
DOWN = "http://127.0.0.1:9"  # refuses every connection
fresh = itertools.count(1)

# The process that sends goes on after the command, and may still write when the folder is removed.
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:

    def demo(extractor: str, tracking: str, server: str = "", out: str = "") -> Command:
        """Train, score and record anew; recordings and features are there."""
        number = next(fresh)
        words = [ASDBENCH, "run", "--extractor", extractor, "--scorer", "mahalanobis-ml", "--fresh", "--quiet"]
        words += ["--tracking", tracking, "--out", f"{place}/{out or f'runs{number}'}"]
        side = "tracked" if tracking == "mlflow" else "plain"  # none finds what the other has made
        return words, {"ASDBENCH_CACHE": f"{place}/{side}", "MLFLOW_TRACKING_URI": server, "OMP_NUM_THREADS": "1"}

    for tracking in ("none", "mlflow"):
        words, added = demo("raw-mel", tracking, out="before")
        subprocess.run(["env", *(f"{name}={value}" for name, value in added.items()), *words], check=True)
    for name, situation, rounds, at_most, given in (
        ("raw-mel", "tracked in a new store", 2, None, {}),
        ("raw-mel", "tracked in a store that is there", 2, None, {"out": "before"}),
        ("raw-mel", "the server being down", 2, None, {"server": DOWN}),
        ("simclr", "tracked in a new store", 1, 1.1, {}),  # of some minutes, as trainings are
    ):
        compare_at_once(
            f"{name}, {situation}, against untracked",
            lambda name=name, given=given: demo(name, "mlflow", **given),
            lambda name=name: demo(name, "none"),
            rounds,
            at_most,
        )
