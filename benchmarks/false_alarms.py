"""Nominal and real rates of false alarms of every scorer on raw-mel: the table of docs/explanation/thresholds.md.

``python benchmarks/false_alarms.py [--splits N] [--out FILE.csv] [SCORER ...]``. Healthy clips are split at random into
training clips and new ones, so that new clips are exchangeable with training clips; with a shift, new clips are of the
target domain, of which ten are trained on. Real recordings are those of ``ASDBENCH_TEST_DATA``, where it is set.
"""

import argparse
import csv
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from threadpoolctl import threadpool_limits

import asdbench as asd
from asdbench.datasets.clips import Dataset
from asdbench.protocols import ThresholdRule

SCORERS = (
    "knn", "lof", "knn-domains", "knn-domains-zscore", "knn-ldn", "knn-ldn-domains", "knn-memmixup", "knn-smote",
    "kmeans-target", "mahalanobis-ml", "mahalanobis-lw", "mahalanobis-domains", "mahalanobis-domains-lw",
    "mahalanobis-domains-shared", "elliptic-envelope", "gmm", "residual-subspace", "whiten+knn", "by-domain+knn",
    "by-domain+mahalanobis-lw", "pyod:IForest", "sklearn:svm.OneClassSVM",
)  # fmt: skip
RULES = ("false-alarms:0.05", "false-alarms:0.1", "false-alarms:0.2", "gamma:0.9", "false-alarms:0.1,per-domain")
TARGET = 10  # training clips of the target domain
MACHINES = ("fan", "valve")
Pool = tuple[np.ndarray, np.ndarray]  # embeddings of healthy clips of the source, and of the target


def healthy(data: Dataset, machine: str, folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings of a machine's healthy clips, their sections and their domains."""
    (run,) = asd.run(data, "raw-mel", "knn", machines=[machine], out=folder)
    clips = run.clips(machine)
    normal = (clips["label"] != 1).to_numpy()  # training clips have none, or 0
    columns = [clips[name][normal].fillna("").to_numpy(str) for name in ("section", "domain")]
    return run.embeddings(machine)[normal], columns[0], columns[1]


def pools(folder: Path) -> Iterator[tuple[str, list[Pool], tuple[int, ...], tuple[int, ...]]]:
    """Name of the recordings, the pools of clips, numbers of training clips, and those with a shift."""
    real = os.environ.get("ASDBENCH_TEST_DATA")
    if real:
        rows, rail, _ = healthy(asd.load(Path(real) / "real" / "slider-2020"), "slider", folder)
        of_rail = [rows[rail == name] for name in sorted(set(rail))]
        yield "real rails", [(of_rail[0], of_rail[1]), (of_rail[1], of_rail[0])], (40, 70), (40, 70)
        yield "real rails", [(rows, rows[:0])], (140,), ()
    made = []
    for machine in MACHINES:
        data = asd.load("synthetic-large", machines=[machine], train_source=1390, train_target=210, test=4, clip_s=4.0)
        rows, _, domain = healthy(data, machine, folder)
        made.append((rows[domain == "source"], rows[domain == "target"]))
    yield "synthetic", made, (40, 140, 300, 990), (40, 140, 300, 990)


def rates(scorer: str, pool: Pool, clips: int, shift: bool, seed: int) -> list[float]:
    """Share of new healthy clips above the threshold of each rule, after one split."""
    source, target = (np.random.default_rng([seed, clips]).permutation(rows) for rows in pool)
    training, new, domains = source[:clips], source[clips:], None
    if shift:
        training, new = np.concatenate([training, target[:TARGET]]), target[TARGET:]
        domains = ["source"] * clips + ["target"] * TARGET
    fitted = asd.scorer(scorer).fit(training, domains=domains)
    scores = fitted.score(new)
    return [
        float(np.mean(scores > ThresholdRule.parse(rule).fit(fitted.training_scores, domains).value)) for rule in RULES
    ]


def main() -> None:
    """Measure and print a line for each scorer and number of clips: mean over splits, and its standard error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scorers", nargs="*", default=SCORERS)
    parser.add_argument("--splits", type=int, default=10, help="random splits of each pool (a third with 300 and more)")
    parser.add_argument("--most", type=int, default=10_000, help="training clips at most")
    parser.add_argument("--least", type=int, default=0, help="training clips at least")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = []
    with TemporaryDirectory() as folder, threadpool_limits(1):
        for name, made, plain, shifted in pools(Path(folder)):
            for clips, shift in [*((n, False) for n in plain), *((n, True) for n in shifted)]:
                splits = given.splits if clips < 300 else max(1, given.splits // 3)
                for scorer in given.scorers if given.least <= clips <= given.most else ():
                    measured = [rates(scorer, pool, clips, shift, seed) for seed in range(splits) for pool in made]
                    mean = 100 * np.mean(measured, axis=0)
                    error = 100 * np.std(measured, axis=0) / np.sqrt(len(measured))
                    values = [f"{one:.1f} ± {two:.1f}" for one, two in zip(mean, error, strict=True)]
                    lines.append([name, clips, "shift" if shift else "", scorer, *values])
                    print(
                        f"{name:11} {clips:4} {lines[-1][2]:6} {scorer:27}",
                        *(f"{one:>11}" for one in values),
                        flush=True,
                    )
    if given.out:
        with given.out.open("w", newline="") as file:
            csv.writer(file).writerows([["recordings", "clips", "shift", "scorer", *RULES], *lines])


if __name__ == "__main__":
    main()
