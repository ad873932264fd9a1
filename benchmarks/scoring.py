"""Scorers on embeddings of a large data set and of one machine type, against scikit-learn, PyOD and bare products.

Two kinds of embeddings: with the spectrum that trained networks give (variance falls with the square of the rank: 98 %
of it in 32 of 512 directions), and isotropic, with neighbours all about as far. scikit-learn is given
float64, as it computes anyway; asdbench takes float32, as embeddings are. Fits are included where named.
"""

import argparse
import functools

import numpy as np
import torch
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits
from timing import compare

import asdbench

DIM = 512
PRODUCTS = 2**24  # numbers of a matrix product at a time
options = argparse.ArgumentParser(description=__doc__)
options.add_argument("--train", type=int, default=100_000)
options.add_argument("--test", type=int, default=10_000)
options.add_argument("--rounds", type=int, default=2, help="against a bare product; once against scikit-learn")
options.add_argument("--pyod", action="store_true", help="against PyOD, too; a quarter of an hour: n x n distances")
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


knn = asdbench.build("knn")


def ours() -> np.ndarray:
    """Fit and score."""
    knn.fit(train)
    return knn.score(test)


def theirs() -> np.ndarray:
    """The same by scikit-learn."""
    return NearestNeighbors(n_neighbors=5).fit(train_64).kneighbors(test_64)[0][:, -1]


def bare() -> np.ndarray:
    """The same by a product in single precision, some queries at a time, as precise as that is."""
    rows, squares = torch.from_numpy(train), torch.from_numpy(train).square().sum(1)
    found = []
    for queries in torch.from_numpy(test).split(PRODUCTS // len(train) + 1):
        near = torch.addmm(squares[None], queries, rows.T, alpha=-2).topk(5, largest=False).values[:, -1]
        found.append((near + queries.square().sum(1)).clamp_min_(0).sqrt_())
    return torch.cat(found).numpy()


for kind in ("embedding-like", "isotropic"):
    train, test = embeddings(kind)
    train_64, test_64 = train.astype(np.float64), test.astype(np.float64)

    all_of_them, test, test_64 = test, test[:200], test_64[:200]
    for name, other in (("scikit-learn", theirs()), ("a bare product", bare())):
        print(f"kNN, {kind}: largest relative difference from {name} {np.abs(ours() / other - 1).max():.1e}")
    test, test_64 = all_of_them, all_of_them.astype(np.float64)
    compare(f"kNN, {kind} ({size}), fit and score, against scikit-learn", ours, theirs, 1, at_most=1, warm_up=False)
    compared(f"kNN, {kind} ({size}), fit and score, against a chunked product with topk", ours, bare, at_most=1.2)

for rows, dim in ((1_000, 256), (1_000, 512)):
    train, test = (np.random.default_rng(0).standard_normal((count, dim)).astype(np.float32) for count in (rows, 200))
    train_64, test_64 = train.astype(np.float64), test.astype(np.float64)
    with threadpool_limits(limits=1):  # as the harness scores
        compare(
            f"kNN, {rows:,} x {dim}, 200 queries, fit and score on one thread, against scikit-learn",
            ours,
            theirs,
            rounds=21,
            at_most=1,
        )

train, test = embeddings("embedding-like")
if chosen.pyod:
    from pyod.models.knn import KNN

    # PyOD's fit scores the training rows; so do we. n x n distances take minutes, so once.
    train_64 = train.astype(np.float64)

    def all_of_ours() -> None:
        """Fit, scores of the training rows, scores."""
        knn.fit(train)
        knn.training_scores()
        knn.score(test)

    compare(
        f"kNN, embedding-like ({size}), training scores too, against PyOD",
        all_of_ours,
        lambda: KNN(n_neighbors=5).fit(train_64).decision_function(test.astype(np.float64)),
        rounds=1,
        at_most=1,
        warm_up=False,
    )

scorer = asdbench.build("mahalanobis-ml")
scorer.fit(train)
library = EmpiricalCovariance().fit(train.astype(np.float64))
test_64, square = test.astype(np.float64), np.random.default_rng(0).standard_normal((DIM, DIM))
compared(
    f"Mahalanobis, {len(test):,} x {DIM}, score, against the bare float64 product of this size",
    lambda: scorer.score(test),
    lambda: test_64 @ square,
    at_most=1.5,
)
compared(
    f"Mahalanobis, {len(test):,} x {DIM}, score, against scikit-learn",
    lambda: scorer.score(test),
    lambda: library.mahalanobis(test_64),
)
train_64 = train.astype(np.float64)
compared(
    f"Mahalanobis, {len(train):,} x {DIM}, fit, against the bare float64 product train^T train",
    lambda: asdbench.build("mahalanobis-ml").fit(train),
    lambda: train_64.T @ train_64,
)
