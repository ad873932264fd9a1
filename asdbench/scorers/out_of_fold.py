"""Scores of training clips by scorers that have not seen them."""

from collections.abc import Callable, Sequence

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.base import Embeddings, Scorer, ScorerError, Scores

FOLDS = 5


def out_of_fold(
    rows: Embeddings,
    clips: Sequence[TrainingClip],
    fitted: Callable[[Embeddings, Sequence[TrainingClip]], Scorer],
) -> Scores:
    """Score every training clip by a scorer that has not seen it.

    In-sample scores flatter the training clips (a Mahalanobis distance with as many clips as dimensions is the same
    for all of them), and a threshold from them calls every test clip anomalous. Folds are spread over the domains.
    With fewer than two clips a fold, or where the scorer cannot be fitted to four folds, the scores are in-sample.
    """
    order = sorted(range(len(clips)), key=lambda index: (clips[index].domain or "", index))
    fold = np.empty(len(clips), int)
    fold[order] = np.arange(len(clips)) % min(FOLDS, len(clips))
    if len(clips) < 2 * FOLDS:
        return fitted(rows, clips).score(rows)
    scores = np.empty(len(clips), np.float64)
    for number in range(FOLDS):
        seen = fold != number
        try:
            scorer = fitted(rows[seen], [clip for clip, keep in zip(clips, seen, strict=True) if keep])
        except ScorerError:  # four folds are too few for it where all five were enough
            return fitted(rows, clips).score(rows)
        scores[~seen] = scorer.score(rows[~seen])
    return scores
