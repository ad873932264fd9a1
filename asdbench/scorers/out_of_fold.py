"""Scores of training clips by scorers that have not seen them."""

from collections.abc import Callable, Sequence

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.datasets.folds import FOLDS, fits, folds
from asdbench.scorers.base import Embeddings, Scorer, ScorerError, Scores

FitScorer = Callable[[Embeddings, Sequence[TrainingClip]], Scorer]


def out_of_fold(rows: Embeddings, clips: Sequence[TrainingClip], fitted: FitScorer) -> Scores:
    """Score every training clip by a scorer that has not seen it.

    In-sample scores flatter the training clips (a Mahalanobis distance with as many clips as dimensions is the same
    for all of them), and a threshold from them calls every test clip anomalous. With fewer than two clips a fold, or
    where the scorer cannot be fitted to four folds, the scores are in-sample.
    """
    if len(clips) >= 2 * FOLDS:
        try:
            return fold_scores(rows, clips, fitted, FOLDS)
        except ScorerError:  # four folds are too few for it where all five were enough
            pass
    return fitted(rows, clips).score(rows)


def fold_scores(rows: Embeddings, clips: Sequence[TrainingClip], fitted: FitScorer, count: int) -> Scores:
    """Score the clips of each fold by a scorer that is fitted to the others.

    Args:
        rows: embeddings (n, dim).
        clips: what is known of them.
        fitted: gives a scorer fitted to some of the rows and their clips.
        count: folds, spread over the domains; n of them leave out one clip at a time.

    Raises:
        ScorerError: the scorer cannot be fitted to what is left.
    """
    scores = np.empty(len(clips), np.float64)
    for seen, seen_clips in fits(folds(clips, count), clips):
        scores[~seen] = fitted(rows[seen], seen_clips).score(rows[~seen])
    return scores
