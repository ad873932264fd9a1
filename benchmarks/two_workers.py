"""A study in SQLite done by two workers, against the same trials done by one; trainings of one thread each."""

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import compare

ASDBENCH = str(Path(sys.executable).with_name("asdbench"))
TRIALS = 7  # six trainings: the first trial is of the defaults, whose training is there from the first round on
fresh = itertools.count(1)

with tempfile.TemporaryDirectory() as place:
    os.environ.update(OMP_NUM_THREADS="1", ASDBENCH_TRACKING="none")

    def study(jobs: int, trials: int = TRIALS) -> None:
        """Trials whose features are there from the first round on, and no training but that of the defaults."""
        number = next(fresh)
        os.environ["ASDBENCH_CACHE"] = f"{place}/cache{jobs}"
        words = ["tune", "--extractor", "autoencoder", "--scorer", "identity", "--sampler", "random"]
        words += ["--pruner", "none", "--quiet", "--storage", f"sqlite:///{place}/study{number}.db"]
        words += ["--only", "autoencoder.learning_rate", "-p", "autoencoder.epochs=8", "--sampler-seed", str(number)]
        words += ["--trials", str(trials), "--jobs", str(jobs), "--out", f"{place}/runs{number}"]
        subprocess.run([ASDBENCH, *words], check=True, stdout=subprocess.DEVNULL)

    for jobs in (1, 2):
        study(jobs, trials=1)
    compare(f"{TRIALS} trials, two workers against one", lambda: study(2), lambda: study(1), 2, 0.6, warm_up=False)
