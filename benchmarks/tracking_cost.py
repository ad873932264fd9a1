"""The demo with tracking, and with a server that is down, against the demo without tracking."""

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import compare

ASDBENCH = str(Path(sys.executable).with_name("asdbench"))
DOWN = "http://127.0.0.1:9"  # refuses every connection
fresh = itertools.count(1)

with tempfile.TemporaryDirectory() as place:
    os.environ["ASDBENCH_CACHE"] = f"{place}/cache"

    def demo(tracking: str, server: str = "", out: str = "", extractor: str = "simclr") -> None:
        """Train, score and record anew; recordings and features are there, as is the store after the first round."""
        words = ["run", "--extractor", extractor, "--scorer", "mahalanobis-ml", "--fresh", "--quiet"]
        environ = {**os.environ, "MLFLOW_TRACKING_URI": server}
        folder = f"{place}/{out or f'runs{next(fresh)}'}"
        subprocess.run(
            [ASDBENCH, *words, "--tracking", tracking, "--out", folder],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ,
        )  # fmt: skip

    for name, rounds in (("simclr", 3), ("raw-mel", 5)):

        def plain(name: str = name) -> None:
            """Without tracking."""
            demo("none", extractor=name)

        compare(
            f"{name}, tracked in a new store, against untracked",
            lambda name=name: demo("mlflow", extractor=name),
            plain,
            rounds,
        )
        compare(
            f"{name}, tracked in a store that is there, against untracked",
            lambda name=name: demo("mlflow", out="kept", extractor=name),
            plain,
            rounds,
        )
        compare(
            f"{name}, the server being down, against untracked",
            lambda name=name: demo("mlflow", DOWN, extractor=name),
            plain,
            rounds,
        )
