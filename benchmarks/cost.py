"""How cost grows: wall time and peak memory of a run by machine types, training clips and processes; a Markdown table.

``python benchmarks/cost.py [--ray] [--keep DIR] [MACHINESxCLIPS ...]``, e.g. ``1x100 7x1000``. Recordings (10 s, 200
test clips a machine type) are made before, and stay in the folder that ``--keep`` names; features, fits and scores come
from an empty cache. With ``--ray`` the workers are those of a Ray node started for this; otherwise they are processes
of the command. Memory is that of the largest of them.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ASDBENCH, RAY = (str(Path(sys.executable).with_name(name)) for name in ("asdbench", "ray"))
MACHINES = ("fan", "gearbox", "bearing", "slider", "valve", "pump", "motor")
options = argparse.ArgumentParser(description=__doc__)
options.add_argument("--ray", action="store_true")
options.add_argument("--keep", type=Path)
options.add_argument("sizes", nargs="*")
chosen = options.parse_args()
ON_RAY = chosen.ray
SIZES = chosen.sizes or [f"{machines}x{clips}" for clips in (100, 300, 1000) for machines in (1, 2, 4, 7)]
WORKERS = (1, 2, 4) if ON_RAY else (1, 2)
SYSTEMS = {
    "raw-mel": ("--extractor", "raw-mel", "--scorer", "mahalanobis-ml"),
    "autoencoder, 5 epochs": ("--extractor", "autoencoder", "--scorer", "identity", "-p", "autoencoder.epochs=5"),
}
KEPT = ("datasets", "digests")  # of the cache


@contextmanager
def cluster(place: str) -> Iterator[None]:
    """A Ray node with room for every number of workers."""
    if not ON_RAY:
        yield
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.update(RAY_ADDRESS=f"127.0.0.1:{port}", RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled")
    words = ("--head", f"--port={port}", f"--num-cpus={max(WORKERS)}", "--node-ip-address=127.0.0.1", "--block")
    less = ("--include-dashboard=false", "--object-store-memory=200000000", f"--temp-dir={place}/ray")
    node = subprocess.Popen([RAY, "start", *words, *less], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(15)
    try:
        yield
    finally:
        node.terminate()
        node.wait()


def workers_of(command: int) -> Iterator[Path]:
    """The processes that compute: Ray's workers, or the command and all that it has begun."""
    if ON_RAY:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cmdline").read_bytes().startswith(b"ray::"):
                    yield process
        return
    family = [command]
    for one in family:
        yield Path(f"/proc/{one}")
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                family += [int(child) for child in (task / "children").read_text().split()]


def watch_workers(command: int, ended: threading.Event, peaks: list[float]) -> None:
    """Add the peak resident sizes (MiB) of the workers for as long as a command runs."""
    while not ended.wait(0.3):
        for process in workers_of(command):
            with suppress(OSError):
                lines = (process / "status").read_text().splitlines()
                peaks += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]


def measured(words: list[str]) -> tuple[float, float]:
    """Seconds, and peak resident size of the largest worker (MiB)."""
    ended, peaks = threading.Event(), [0.0]
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = threading.Thread(target=watch_workers, args=(process.pid, ended, peaks))
    watch.start()
    failed = process.wait()
    seconds = time.perf_counter() - started
    ended.set()
    watch.join()
    if failed:
        sys.exit(f"{' '.join(words)} failed")
    return seconds, max(peaks)


with tempfile.TemporaryDirectory() as place, cluster(place):
    cache = (chosen.keep or Path(place)) / "cost"
    os.environ.update(ASDBENCH_CACHE=str(cache), ASDBENCH_TRACKING="none")
    print(f"| machine types | training clips each | system | {'Ray workers' if ON_RAY else 'jobs'} | seconds | MiB |")
    print("| ---: | ---: | --- | ---: | ---: | ---: |")
    for size in SIZES:
        machines, clips = map(int, size.split("x"))
        made = (f"train_source={clips - 10}", "train_target=10", "test=200", "clip_s=10")
        values = (*made, f"machines={','.join(MACHINES[:machines])}")
        data = [word for value in values for word in ("-p", f"synthetic.{value}")]
        for name, system in SYSTEMS.items():
            for workers in WORKERS:
                shutil.rmtree(Path(place) / "runs", ignore_errors=True)
                where = ["--jobs", str(workers), *(["--engine", "ray"] if ON_RAY else [])]
                words = [ASDBENCH, "run", *system, *data, *where, "--out", f"{place}/runs"]
                subprocess.run([ASDBENCH, "run", "--dry-run", *words[2:]], check=True, stdout=subprocess.DEVNULL)
                for kind in cache.iterdir() if cache.is_dir() else ():
                    if kind.name not in KEPT:
                        shutil.rmtree(kind)
                seconds, mib = measured(words)
                print(f"| {machines} | {clips} | {name} | {workers} | {seconds:.1f} | {mib:.0f} |", flush=True)
