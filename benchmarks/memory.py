"""Peak memory of a run: of a process that has imported what it needs, of one machine type, and of several.

It must not grow with the number of machine types: features are memory-mapped, and one machine type is fitted at a time.
``python benchmarks/memory.py [--clips N] [--machines N] [--tests N] [SYSTEM ...]``; ``synthetic-large`` has 7 machine
types of 1000 training and 200 test clips.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import tell

PYTHON = sys.executable
ASDBENCH = str(Path(PYTHON).with_name("asdbench"))
MACHINES = ("fan", "gearbox", "bearing", "slider", "valve", "pump", "motor")
GROWS = 1.1  # what allocators leave lying about may differ
SYSTEMS = {
    "raw-mel": ("--extractor raw-mel --scorer mahalanobis-ml",),
    "autoencoder": ("--extractor autoencoder --scorer identity", "autoencoder.epochs=1"),
    "simclr": ("--extractor simclr --scorer mahalanobis-ml", "simclr.steps=2"),
}
options = argparse.ArgumentParser(description=__doc__)
options.add_argument("--clips", type=int, default=200)
options.add_argument("--machines", type=int, default=4)
options.add_argument("--tests", type=int, default=20)
options.add_argument("systems", nargs="*", choices=[*SYSTEMS, []])
chosen = options.parse_args()


def peak_mib(*words: str) -> float:
    """Peak resident size of a process (MiB); pages of the page cache that it has mapped count as well."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(words)} failed")
    return usage.ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024


with tempfile.TemporaryDirectory() as place:
    os.environ.update(ASDBENCH_CACHE=f"{place}/cache", ASDBENCH_TRACKING="none", OMP_NUM_THREADS="1")

    def run(machines: int, system: str, *params: str) -> float:
        """Peak of a run on so many machine types (MiB)."""
        made = (f"train_source={chosen.clips - 10}", "train_target=10", f"test={chosen.tests}", "clip_s=10")
        out = f"{place}/{machines}-{len(list(Path(place).iterdir()))}"
        words = [ASDBENCH, "run", *system.split(), "--profile", "full", "--out", out]  # whatever the number of clips
        for value in (*made, f"machines={','.join(MACHINES[:machines])}"):
            words += ["-p", f"synthetic.{value}"]
        return peak_mib(*words, *(word for value in params for word in ("-p", value)))

    imported = peak_mib(PYTHON, "-c", "import torch, torchaudio, sklearn.metrics, scipy.stats, pandas")
    for name in chosen.systems or SYSTEMS:
        words, *params = SYSTEMS[name]
        one, several = run(1, words, *params), run(chosen.machines, words, *params)
        first = f"{name}: peak with 1 machine type of {chosen.clips} clips, against imports"
        tell(first, one, imported, one / imported, "MiB")
        tell(f"{name}: peak with {chosen.machines} machine types, against 1", several, one, several / one, "MiB", GROWS)
