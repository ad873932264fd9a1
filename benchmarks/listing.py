"""How the cost of opening a data set grows with its clips: cold, when nothing is remembered, and warm.

``python benchmarks/listing.py [--clips N ...] [--run]`` makes folders of tiny recordings, each of other bytes: of 7
machine types with the challenge's names, of 500 machine types of 8 clips, and of one machine with names of its own.
Cold is the first ``asdbench.load`` of a process with an empty cache, warm that of another process after it; the files
are in the page cache both times, and what the imports take is left out. Seconds of the processor stand beside, which
other work on the machine moves less. ``--run`` adds those and the peak memory of a run of raw-mel and kNN with
everything that it imports. Folders stay where ``--folder`` says, for other measurements.
"""

import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from timing import tell

RATE_HZ = 16_000
SAMPLES = 1600
MACHINES = ("fan", "gearbox", "bearing", "slider", "valve", "pump", "motor")
OPEN = """
import json, resource, sys, time
import asdbench
from asdbench.api import loading  # what is imported is not what is measured
from asdbench.registry import load_catalog
load_catalog()
started, used = time.perf_counter(), time.process_time()
table = asdbench.load(sys.argv[1])
len(table), table.fingerprint
seconds = [time.perf_counter() - started, time.process_time() - used]
print(json.dumps([*seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def contents() -> Iterator[bytes]:
    """WAV files of a tenth of a second of noise, 16 bit, no two alike."""
    noise = (3000 * np.random.default_rng(0).standard_normal(SAMPLES)).astype("<i2").tobytes()
    size = len(noise)
    form = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16, b"data", size)  # fmt: skip  # noqa: E501
    number = 0
    while True:
        number += 1
        yield form + noise[:-4] + struct.pack("<hh", number % 20_000, number // 20_000)


def names(train: int, test: int) -> Iterator[str]:
    """Paths within a machine type's folder, as the challenge has them."""
    for number in range(train):
        domain = "target" if number % 10 == 3 else "source"
        yield f"train/section_00_{domain}_train_normal_{number:06d}_speed_{number % 7}.wav"
    for number in range(test):
        domain, label = ("source", "target")[number % 2], ("normal", "anomaly")[number // 2 % 2]
        yield f"test/section_00_{domain}_test_{label}_{number:06d}_speed_{number % 7}.wav"


def make(folder: Path, machines: dict[str, list[str]]) -> Path:
    """Write recordings, by machine type and path within its folder; a folder that is there is left as it is."""
    if folder.is_dir():
        return folder
    content = contents()
    partial = folder.with_suffix(".partial")
    for machine, paths in machines.items():
        for place in {(partial / machine / path).parent for path in paths}:
            place.mkdir(parents=True, exist_ok=True)
        for path in paths:
            (partial / machine / path).write_bytes(next(content))
    partial.rename(folder)
    return folder


def made(place: Path, clips: int) -> dict[str, Path]:
    """The folders of so many clips, by what they are; few clips a machine type test what machine types cost."""
    train = clips // len(MACHINES) * 9 // 10
    few = list(names(4, 4))
    own = [f"train/day {number // 1000}/recording {number}.wav" for number in range(clips)]
    return {
        f"{clips} clips of 7 machine types": make(
            place / f"seven-{clips}",
            {machine: list(names(train, clips // len(MACHINES) - train)) for machine in MACHINES},
        ),
        f"{clips // 8} machine types of 8 clips": make(
            place / f"many-{clips}", {f"machine{number:05d}": few for number in range(clips // 8)}
        ),
        f"{clips} clips of names of one's own": make(place / f"own-{clips}", {"press": own}),
    }


def opened(folder: Path, cache: Path) -> tuple[float, float, float]:
    """Seconds, seconds of the processor and peak memory (MiB) of opening it in a process of its own."""
    words = [sys.executable, "-c", OPEN, str(folder)]
    answer = subprocess.run(words, check=True, env={**os.environ, "ASDBENCH_CACHE": str(cache)}, stdout=subprocess.PIPE)
    seconds, used_s, mib = json.loads(answer.stdout)
    return seconds, used_s, mib


def run(folder: Path, cache: Path) -> tuple[float, float]:
    """Seconds of the processor and peak memory (MiB) of a run of raw-mel and kNN."""
    asdbench = str(Path(sys.executable).with_name("asdbench"))
    words = [asdbench, "run", "--extractor", "raw-mel", "--scorer", "knn", "--dataset", str(folder), "--threads", "1"]
    environment = {**os.environ, "ASDBENCH_CACHE": str(cache / "of-runs"), "ASDBENCH_TRACKING": "none"}
    with subprocess.Popen([*words, "--out", str(cache / "runs")], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # fmt: skip  # noqa: E501
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(words)} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print seconds, and by how much more ten times the clips cost."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clips", type=int, nargs="+", default=[4000, 20_000])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--run", action="store_true")
    options.add_argument("--folder", type=Path)
    chosen = options.parse_args()
    place = chosen.folder or Path(tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    before: dict[int, list[float]] = {}
    for clips in sorted(chosen.clips):
        for number, (what, folder) in enumerate(made(place, clips).items()):
            pairs = []
            for _ in range(chosen.rounds):
                with tempfile.TemporaryDirectory(dir=place) as cache:
                    pairs.append([opened(folder, Path(cache) / "cache") for _ in range(2)])
            medians = [
                [statistics.median(pair[side][column] for pair in pairs) for column in (0, 1)] for side in (0, 1)
            ]
            (cold, cold_used), (warm, warm_used) = medians
            peak = max(mib for pair in pairs for *_, mib in pair)
            print(
                f"{what}: cold {cold:.2f} s ({cold_used:.2f} of the processor), "
                f"warm {warm:.2f} s ({warm_used:.2f}), peak {peak:.0f} MiB",
                flush=True,
            )
            costs = [cold_used, warm_used]
            if chosen.run:
                with tempfile.TemporaryDirectory(dir=place) as cache:
                    seconds, peak = run(folder, Path(cache))
                print(f"  run of raw-mel and kNN: {seconds:.1f} s of the processor, peak {peak:.0f} MiB", flush=True)
            if number in before:
                factor = clips / sorted(chosen.clips)[sorted(chosen.clips).index(clips) - 1]
                for kind, cost, smaller in zip(("cold", "warm"), costs, before[number], strict=True):
                    grown = f"opening {what}, {kind}, a clip, against {factor:g} times fewer"
                    tell(grown, cost / factor, smaller, cost / factor / smaller, at_most=1.3)
            before[number] = costs
    if chosen.folder is None:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
