"""10,000 bootstrap replicates of a seven-machine test set, against 100 of them by scikit-learn, one after the other."""

import numpy as np
from sklearn.metrics import roc_auc_score
from timing import compare

from asdbench.protocols import SectionScores, bootstrap_intervals

rng = np.random.default_rng(0)
labels = np.tile([0, 1], 100)
domains = np.repeat(["source", "target"], 100)
sections = {
    (f"machine{number}", "00"): SectionScores(labels, domains, rng.normal(size=200) + labels, None)
    for number in range(7)
}


def one_by_one(replicates: int = 100) -> None:
    """The same terms from scikit-learn's functions."""
    for _ in range(replicates):
        for rows in sections.values():
            drawn = np.concatenate(
                [
                    rng.choice(np.flatnonzero((domains == domain) & (labels == label)), 50)
                    for domain in ("source", "target")
                    for label in (0, 1)
                ]
            )
            y, s, d = labels[drawn], rows.scores[drawn], domains[drawn]
            for domain in ("source", "target"):
                kept = (d == domain) | (y == 1)
                roc_auc_score(y[kept], s[kept])
            roc_auc_score(y, s, max_fpr=0.1)


compare(
    "10,000 replicates of 7 x 200 clips, against 100 by scikit-learn",
    lambda: bootstrap_intervals("dcase2023", sections, 10_000),
    one_by_one,
    rounds=3,
)
