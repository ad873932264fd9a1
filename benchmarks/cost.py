"""How cost grows: wall time and peak memory of a run by machine types, training clips and system; a Markdown table.

``python benchmarks/cost.py [MACHINESxCLIPS ...]``, e.g. ``1x100 7x1000``. Recordings (10 s, 200 test clips a machine
type) are made before; features, fits and scores come from an empty cache. What the same pair of recordings costs grows
with what is done, so the seconds stand beside those of decoding and scoring alone.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ASDBENCH = str(Path(sys.executable).with_name("asdbench"))
MACHINES = ("fan", "gearbox", "bearing", "slider", "valve", "pump", "motor")
SIZES = sys.argv[1:] or [f"{machines}x{clips}" for clips in (100, 300, 1000) for machines in (1, 2, 4, 7)]
SYSTEMS = {
    "raw-mel": ("--extractor", "raw-mel", "--scorer", "mahalanobis-ml"),
    "autoencoder, 5 epochs": ("--extractor", "autoencoder", "--scorer", "identity", "-p", "autoencoder.epochs=5"),
}
KEPT = ("datasets", "digests")  # of the cache


def measured(words: list[str]) -> tuple[float, float]:
    """Seconds, and peak resident size of the largest process (MiB)."""
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(words)} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


with tempfile.TemporaryDirectory() as place:
    cache = Path(place) / "cache"
    os.environ.update(ASDBENCH_CACHE=str(cache), ASDBENCH_TRACKING="none")
    print("| machine types | training clips each | system | jobs | seconds | peak memory (MiB) |")
    print("| ---: | ---: | --- | ---: | ---: | ---: |")
    for number, size in enumerate(SIZES):
        machines, clips = map(int, size.split("x"))
        made = (f"train_source={clips - 10}", "train_target=10", "test=200", "clip_s=10")
        values = (*made, f"machines={','.join(MACHINES[:machines])}")
        data = [word for value in values for word in ("-p", f"synthetic.{value}")]
        for name, system in SYSTEMS.items():
            for jobs in (1, 2):
                shutil.rmtree(Path(place) / "runs", ignore_errors=True)
                words = [ASDBENCH, "run", *system, *data, "--jobs", str(jobs), "--out", f"{place}/runs"]
                subprocess.run([ASDBENCH, "run", "--dry-run", *words[2:]], check=True, stdout=subprocess.DEVNULL)
                for kind in cache.iterdir() if cache.is_dir() else ():
                    if kind.name not in KEPT:
                        shutil.rmtree(kind)
                seconds, mib = measured(words)
                print(f"| {machines} | {clips} | {name} | {jobs} | {seconds:.1f} | {mib:.0f} |", flush=True)
        if number == 0:
            sys.stderr.write("Times are of this machine today; compare rows of one table only.\n")
