"""One more scorer on cached embeddings, against importing the libraries that it needs."""

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import compare

ASDBENCH = str(Path(sys.executable).with_name("asdbench"))
fresh = itertools.count(1)

with tempfile.TemporaryDirectory() as place:
    os.environ["ASDBENCH_CACHE"] = f"{place}/cache"

    def run(scorer: str) -> None:
        """Run asdbench on the synthetic machines; a new folder for results, so that nothing is found done."""
        words = ["run", "--extractor", "raw-mel", "--scorer", scorer, "--out", f"{place}/runs{next(fresh)}", "--quiet"]
        subprocess.run([ASDBENCH, *words], check=True, stdout=subprocess.DEVNULL)

    def imports() -> None:
        """Import what scoring and evaluation import."""
        code = "import pydantic, sklearn.covariance, sklearn.metrics, scipy.stats"
        subprocess.run([sys.executable, "-c", code], check=True)

    run("knn")
    for scorer in ("mahalanobis-ml", "mahalanobis-lw", "elliptic-envelope", "gmm"):
        compare(f"one more {scorer}, against its imports", lambda scorer=scorer: run(scorer), imports, rounds=3)
