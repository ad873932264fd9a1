"""Held-out scores by taking clips out of the covariance, against fits to the others, at 1,000 x 256 on one thread.

990 source and 10 target clips in 20 folds, as for a threshold; a fit of by-domain or calibrate is twelve or six fits of
the scorer. Nothing is wanted of calibrate, which also compares directions of clips. Seconds of the processor. Both give
the same scores, which is checked. ``python benchmarks/held_out.py [rounds] [SCORER ...]``.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import scipy.linalg  # noqa: F401  # brings a BLAS of its own, which is limited with the others
from threadpoolctl import threadpool_limits
from timing import tell

import asdbench
from asdbench.datasets import TrainingClip
from asdbench.scorers import Scorer
from asdbench.scorers.out_of_fold import fold_scores

CLIPS, TARGET, DIM, FOLDS = 1000, 10, 256, 20
ROUNDS = int(sys.argv[1]) if sys.argv[1:] else 3
NAMES = sys.argv[2:] or [
    *("mahalanobis-ml", "mahalanobis-lw", "mahalanobis-domains", "mahalanobis-domains-lw"),
    *("by-domain+mahalanobis-ml", "by-domain+mahalanobis-lw", "calibrate+mahalanobis-lw"),
]
WANTED = 0.1
WITHIN = 1e-9

random = np.random.default_rng(0)
axes = np.linalg.qr(random.standard_normal((DIM, DIM)))[0] / np.sqrt(np.arange(1, DIM + 1))[:, None]
rows = (random.standard_normal((CLIPS, DIM)) @ axes).astype(np.float32)
domains = ["source"] * (CLIPS - TARGET) + ["target"] * TARGET
clips = [TrainingClip(f"{n:04d}", "fan", "00", domain, ()) for n, domain in enumerate(domains)]


@contextmanager
def fitted_anew() -> Iterator[None]:
    """No scorer can do without clips that it was fitted to, nor can one within another."""
    classes = [one for one in descendants(Scorer) if "without" in vars(one)]
    known = [one.without for one in classes]
    for one in classes:
        one.without = lambda *_: None
    try:
        yield
    finally:
        for one, without in zip(classes, known, strict=True):
            one.without = without


def descendants(kind: type) -> list[type]:
    """All classes derived from a class."""
    return [one for child in kind.__subclasses__() for one in (child, *descendants(child))]


def scores(name: str, downdated: bool) -> tuple[float, np.ndarray]:
    """Seconds and scores."""

    def fitted(some, of):
        return asdbench.build(name, kind="scorers").fit(some, of)

    scorer = fitted(rows, clips)
    with nullcontext() if downdated else fitted_anew():
        started = time.process_time()
        found = fold_scores(scorer, rows, clips, fitted, FOLDS)
        return time.process_time() - started, found


with threadpool_limits(limits=1):
    for name in NAMES:
        pairs = [(scores(name, True), scores(name, False)) for _ in range(ROUNDS)]
        np.testing.assert_allclose(pairs[0][0][1], pairs[0][1][1], rtol=WITHIN, atol=1e-12)
        first, second = (statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
        ratio = statistics.median(pair[0][0] / pair[1][0] for pair in pairs)
        what = f"{name}, {CLIPS:,} x {DIM}, held-out scores by downdating, against fits"
        tell(what, first, second, ratio, at_most=None if name.startswith("calibrate") else WANTED)
