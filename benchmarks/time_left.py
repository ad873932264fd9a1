"""How well a command tells the time that it still takes: what its lines say after a minute, against what it took.

Three matrices of several minutes in an empty folder with an empty cache, so that nothing is known beforehand; not part
of all.py. ``python benchmarks/time_left.py [MATRIX ...]``.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

SEEDS = "--seed 0 --seed 1 --seed 2 --seed 3"
SCORERS = "knn mahalanobis-ml mahalanobis-lw gmm lof pyod:OCSVM pyod:IForest pyod:HBOS pyod:COPOD pyod:INNE"
MATRICES = {
    "autoencoder": f"--dataset synthetic --extractor autoencoder --scorer identity {SEEDS} --profile full "
    "-p autoencoder.epochs=40",
    "scorers": "--dataset brief --extractor raw-mel --extractor psd --jobs 2 --scorer "
    + SCORERS.replace(" ", " --scorer "),
    "networks": f"--dataset synthetic --extractor siamese --extractor simclr --scorer knn {SEEDS} --jobs 2 "
    "--profile full -p siamese.epochs=10 -p simclr.epochs=3",
}
MADE = {"synthetic": "synthetic", "brief": "synthetic-large --to brief -p clip_s=1"}  # the latter 8,400 clips
LEFT = re.compile(r"^runs.*about ([\d.]+) (s|min|h) left")
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
AFTER_S = 60.0


def said(words: list[str]) -> tuple[list[tuple[float, float]], float]:
    """When what was said (seconds since the start, seconds left), and how long it took."""
    lines = []
    with tempfile.TemporaryDirectory() as place:
        environ = os.environ | {"ASDBENCH_CACHE": f"{place}/cache", "ASDBENCH_TRACKING": "none"}
        make = [sys.executable, "-m", "asdbench", "data", "make", *MADE[words[words.index("--dataset") + 1]].split()]
        subprocess.run(make, env=environ, check=True, capture_output=True, cwd=place)
        command = [sys.executable, "-m", "asdbench", "run", *words, "--out", f"{place}/runs"]
        started = time.monotonic()
        with subprocess.Popen(
            command, env=environ, cwd=place, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as run:
            assert run.stderr is not None
            for line in run.stderr:
                if found := LEFT.match(line):
                    lines.append((time.monotonic() - started, float(found[1]) * UNITS[found[2]]))
        assert run.returncode == 0, run.returncode
        return lines, time.monotonic() - started


for name in sys.argv[1:] or MATRICES:
    lines, took = said(MATRICES[name].split())
    print(f"{name}: took {took:.0f} s")
    for at, left in lines:
        print(f"  after {at:4.0f} s: about {left:4.0f} s left; it was {took - at:4.0f} ({left / (took - at) - 1:+.0%})")
    for at, left in [line for line in lines if line[0] >= AFTER_S][:1]:
        print(f"  the first after a minute: {left / (took - at) - 1:+.0%}; wanted within a third", flush=True)
