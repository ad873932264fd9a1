"""Runs of networks on seven machine types against one machine type: what training them together is worth.

Features are in the cache, fits are made anew each time. The losses of the machine type that both have are compared:
they are equal. ``python benchmarks/stacked.py [epochs] [training clips] [extractor ...]``.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from own_data import made
from timing import tell

import asdbench as asd

EPOCHS = int(sys.argv[1]) if sys.argv[1:] else 20
CLIPS = int(sys.argv[2]) if sys.argv[2:] else 80
SYSTEMS = {"autoencoder": "identity", "siamese": "knn"}
MACHINES = ["fan", "gearbox", "bearing", "slider", "valve", "pump", "motor"]
ROUNDS = 3

with tempfile.TemporaryDirectory() as place:
    os.environ["ASDBENCH_CACHE"] = f"{place}/cache"
    made(Path(place), machines=MACHINES, clip_s=10.0, train_source=CLIPS - 10, test=20)
    data = asd.load(f"{place}/recordings")

    def seconds(extractor: str, machines: list[str]) -> tuple[float, list[float]]:
        """Seconds of a run, and the losses on the first machine type."""
        started = time.perf_counter()
        chosen = asd.extractor(extractor, epochs=EPOCHS)
        (run,) = asd.run(
            data, chosen, SYSTEMS[extractor], machines=machines, out=f"{place}/runs", profile="full", fresh=True
        )
        assert run.status == "done", run.record.failures
        (losses,) = (one.curves["loss"] for one in run.record.training if one.machines == MACHINES[:1])
        return time.perf_counter() - started, list(losses)

    for extractor in sys.argv[3:] or SYSTEMS:
        pairs = []
        for number in range(ROUNDS + 1):  # the first decodes and imports
            (together_s, together), (alone_s, alone) = seconds(extractor, MACHINES), seconds(extractor, MACHINES[:1])
            assert together == alone, "as alone"
            pairs += [(together_s, alone_s)] if number else []
        first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
        what = f"{extractor}, {EPOCHS} epochs on {CLIPS} clips of 10 s: seven machine types against one"
        tell(what, first, second, statistics.median(a / b for a, b in pairs), at_most=2.5)
