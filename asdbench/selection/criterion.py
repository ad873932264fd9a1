"""How good a configuration is, estimated from normal clips alone.

Normal clips are left out in turn, and the scorer is fitted to the others. Clips left out are compared with outliers
made of clips left out; the areas under the curve are those of the official score, so a configuration gains nothing
by scoring everything alike, or by scoring one domain higher than the other. Only ranks within a fold count: the
criterion is the same for any monotonic change of the scores, and may be compared between embeddings and scorers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.core.threads import one_thread
from asdbench.datasets.clips import TrainingClip
from asdbench.datasets.folds import FOLDS, fits, folds

Embeddings = NDArray[np.float32]
MAX_FPR = 0.1


class SelectionError(AsdbenchError):
    """Training clips that nothing can be chosen by."""


class Detector(Protocol):
    """What scores embeddings (n, dim): float64 (n,), higher is more anomalous."""

    def score(self, embeddings: Embeddings) -> NDArray[np.float64]:
        """Anomaly score of each row."""


FitDetector = Callable[[Embeddings, Sequence[TrainingClip]], Detector]


@dataclass(frozen=True)
class Outliers:
    """Embeddings of clips that are not quite normal."""

    rows: Embeddings  # (m, dim)
    made_of: NDArray[np.int64]  # int (m,), the training clip that each was made of, by its place


def criterion(rows: Embeddings, clips: Sequence[TrainingClip], fitted: FitDetector, outliers: Outliers) -> float:
    """How good embeddings and scorer are, in (0, 1], estimated from normal clips alone; higher is better.

    BLAS takes one thread, so cores decide nothing.

    Args:
        rows: embeddings (n, dim) of the training clips of one machine type or section.
        clips: what is known of them.
        fitted: gives a scorer fitted to some of the rows and their clips.
        outliers: embeddings of pseudo-anomalous recordings (``cut_paste``), the same recordings for all that is
            compared.

    Raises:
        SelectionError: fewer than two clips a fold, no outliers, or scores that are not finite.
        AsdbenchError: the scorer cannot be fitted to four folds.
    """
    import scipy.linalg  # noqa: F401  # loads a BLAS of SciPy's, which can be limited only once it is there

    require_enough(clips)
    domains = np.array([clip.domain or "source" for clip in clips])
    by_domain: dict[str, list[float]] = {domain: [] for domain in sorted(set(domains))}
    partial: list[float] = []
    with one_thread():
        for number, (seen, seen_clips) in enumerate(fits(folds(clips, attributes=True), clips)):
            scorer = fitted(rows[seen], seen_clips)
            normal = scorer.score(rows[~seen])
            outlier_rows = outliers.rows[~seen[outliers.made_of]]
            if not len(outlier_rows):
                raise SelectionError(f"No outliers are made of the {np.sum(~seen)} clips of fold {number + 1}.")
            anomalous = scorer.score(outlier_rows)
            partial.append(_area(normal, anomalous, MAX_FPR))
            for domain, areas in by_domain.items():
                scores = normal[domains[~seen] == domain]
                if len(scores):
                    areas.append(_area(scores, anomalous))
    means = np.maximum([np.mean(areas) for areas in (*by_domain.values(), partial)], np.finfo(float).eps)
    return float(len(means) / np.sum(1.0 / means))


def require_enough(clips: Sequence[TrainingClip]) -> None:
    """Raise SelectionError where there are fewer than two clips a fold."""
    if len(clips) < 2 * FOLDS:
        raise SelectionError(
            f"Choosing by training clips alone takes at least {2 * FOLDS} of a section; there are {len(clips)}. "
            "Give the value itself."
        )


def _area(normal: NDArray[np.float64], anomalous: NDArray[np.float64], max_fpr: float | None = None) -> float:
    from sklearn.metrics import roc_auc_score

    scores = np.concatenate([normal, anomalous])
    bad = int(np.sum(~np.isfinite(scores)))
    if bad:
        raise SelectionError(f"{bad} of {len(scores)} scores of clips left out and of pasted ones are not finite.")
    return float(roc_auc_score(np.repeat([0, 1], [len(normal), len(anomalous)]), scores, max_fpr=max_fpr))


class Gaussian:
    """Mahalanobis distance by a covariance that is shrunk by Ledoit and Wolf's formula."""

    def __init__(self, rows: Embeddings) -> None:
        from sklearn.covariance import LedoitWolf

        self._model = LedoitWolf().fit(np.asarray(rows, np.float64))

    def score(self, embeddings: Embeddings) -> NDArray[np.float64]:
        """Squared distance of each row, float64 (n,)."""
        return np.asarray(self._model.mahalanobis(np.asarray(embeddings, np.float64)), np.float64)


def reference_detector(rows: Embeddings, clips: Sequence[TrainingClip]) -> Gaussian:
    """A detector that knows no scorer, by which an extractor may choose its parameters, fitted to (n, dim)."""
    return Gaussian(rows)
