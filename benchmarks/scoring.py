"""Scorers on embeddings of a large data set, against scikit-learn, PyOD and the bare matrix product.

Two kinds of embeddings: with the spectrum that trained networks give (variance falls with the square of the rank: 98 %
of it in 32 of 512 directions), and isotropic, the worst there can be for a search of neighbours. scikit-learn is given
float64, as it computes anyway; asdbench takes float32, as embeddings are. Fits are included where named.
"""

import argparse
import functools

import numpy as np
from pyod.models.knn import KNN
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors
from timing import compare

import asdbench

DIM = 512
options = argparse.ArgumentParser(description=__doc__)
options.add_argument("--train", type=int, default=100_000)
options.add_argument("--test", type=int, default=10_000)
options.add_argument("--rounds", type=int, default=3)
options.add_argument("--no-pyod", action="store_true", help="PyOD scores its training rows too: n x n distances.")
chosen = options.parse_args()
size = f"{chosen.train:,} x {DIM}, {chosen.test:,} queries"
compared = functools.partial(compare, rounds=chosen.rounds)


def embeddings(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows, float32."""
    random = np.random.default_rng(0)
    spread = 1.0 / np.arange(1, DIM + 1) if kind == "embedding-like" else np.ones(DIM)
    turned = np.linalg.qr(random.standard_normal((DIM, DIM)))[0] * spread[:, None]
    train, test = (random.standard_normal((count, DIM)) @ turned for count in (chosen.train, chosen.test))
    return train.astype(np.float32), test.astype(np.float32)


for kind in ("embedding-like", "isotropic"):
    train, test = embeddings(kind)
    train_64, test_64 = train.astype(np.float64), test.astype(np.float64)

    def ours() -> np.ndarray:
        """Fit and score."""
        scorer = asdbench.build("knn")
        scorer.fit(train, [])  # noqa: B023
        return scorer.score(test)  # noqa: B023

    def theirs() -> np.ndarray:
        """The same by scikit-learn."""
        return NearestNeighbors(n_neighbors=5).fit(train_64).kneighbors(test_64)[0][:, -1]  # noqa: B023

    given, expected = ours(), theirs()
    print(f"kNN, {kind}: largest relative difference from scikit-learn {np.abs(given / expected - 1).max():.1e}")
    # Isotropic rows take the whole product in float32, which is half of the float64 product at best: no target there.
    wanted = 1 / 3 if kind == "embedding-like" else None
    compared(f"kNN, {kind} ({size}), fit and score, against scikit-learn", ours, theirs, at_most=wanted)
    compared(
        f"kNN, {kind}: against the bare float32 product of the same size",
        ours,
        lambda train=train, test=test: [block @ train.T for block in np.array_split(test, 40)],
    )

train, test = embeddings("embedding-like")
if not chosen.no_pyod:
    # PyOD's fit scores the training rows; so do we. n x n distances take minutes, so once.
    train_64 = train.astype(np.float64)

    def all_of_ours() -> None:
        """Fit, scores of the training rows, scores."""
        scorer = asdbench.build("knn")
        scorer.fit(train, [])
        scorer.training_scores()
        scorer.score(test)

    compare(
        f"kNN, embedding-like ({size}), training scores too, against PyOD",
        all_of_ours,
        lambda: KNN(n_neighbors=5).fit(train_64).decision_function(test.astype(np.float64)),
        rounds=1,
        at_most=1 / 3,
        warm_up=False,
    )

scorer = asdbench.build("mahalanobis-ml")
scorer.fit(train, [])
library = EmpiricalCovariance().fit(train.astype(np.float64))
test_64, square = test.astype(np.float64), np.random.default_rng(0).standard_normal((DIM, DIM))
compared(
    f"Mahalanobis, {len(test):,} x {DIM}, score, against the bare float64 product of this size",
    lambda: scorer.score(test),
    lambda: test_64 @ square,
    at_most=1.5,
)
compared("the same, against scikit-learn", lambda: scorer.score(test), lambda: library.mahalanobis(test_64))
train_64 = train.astype(np.float64)
compared(
    f"Mahalanobis, {len(train):,} x {DIM}, fit, against the bare float64 product train^T train",
    lambda: asdbench.build("mahalanobis-ml").fit(train, []),
    lambda: train_64.T @ train_64,
)
