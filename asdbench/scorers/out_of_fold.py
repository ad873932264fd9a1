"""Scores of training clips by scorers that have not seen them."""

from collections.abc import Callable, Sequence

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.datasets.folds import FOLDS, fits, folds
from asdbench.scorers.base import Embeddings, Scorer, ScorerError, Scores

FitScorer = Callable[[Embeddings, Sequence[TrainingClip]], Scorer]


def held_out_scores(scorer: Scorer, rows: Embeddings, clips: Sequence[TrainingClip], fitted: FitScorer) -> Scores:
    """Score every training clip as a new one would be scored, for a threshold.

    In-sample scores flatter the training clips (a Mahalanobis distance with as many clips as dimensions is the same
    for all of them), and a threshold from them calls every test clip anomalous. So do scores by few folds, whose fits
    see much less than the scorer itself, where distances grow with the number of clips; where they shrink, too few
    are called anomalous. So the scorer's own leave-one-out scores are taken, or those of ``Scorer.held_out_fits``
    folds, of which there is one for each clip where there are fewer clips.

    Where the scorer cannot be fitted to fewer clips than it was the scores are in-sample, and its notes say so.

    Args:
        scorer: fitted to all of the rows.
        rows: embeddings (n, dim).
        clips: what is known of them.
        fitted: gives a scorer fitted to some of the rows and their clips.
    """
    known: Scores | None = getattr(scorer, "held_out_scores", scorer.training_scores)()
    if known is not None:
        return known
    try:
        if len(clips) < 2:
            raise ScorerError("there is only one.")
        count = getattr(scorer, "held_out_fits", Scorer.held_out_fits)  # a plugin's may be no subclass
        return fold_scores(scorer, rows, clips, fitted, min(count, len(clips)))
    except ScorerError as error:
        scorer.notes.append(f"the threshold rests on scores of clips that the scorer has seen, and is too low: {error}")
        return scorer.score(rows)


def scores_for_units(scorer: Scorer, rows: Embeddings, clips: Sequence[TrainingClip], fitted: FitScorer) -> Scores:
    """Score every training clip for the units in which scores of several scorers are combined.

    The scorer's own training scores, else those of five folds. With fewer than two clips a fold, or where the scorer
    cannot be fitted to four folds, the scores are in-sample. The arguments are those of ``held_out_scores``.
    """
    known = scorer.training_scores()
    if known is not None:
        return known
    if len(clips) >= 2 * FOLDS:
        try:
            return fold_scores(scorer, rows, clips, fitted, FOLDS)
        except ScorerError:  # four folds are too few for it where all five were enough
            pass
    return fitted(rows, clips).score(rows)


def fold_scores(
    scorer: Scorer, rows: Embeddings, clips: Sequence[TrainingClip], fitted: FitScorer, count: int
) -> Scores:
    """Score the clips of each fold by a scorer that is fitted to the others, or that ``Scorer.without`` makes.

    Args:
        scorer: fitted to all of the rows.
        rows: embeddings (n, dim).
        clips: what is known of them.
        fitted: gives a scorer fitted to some of the rows and their clips.
        count: folds, spread over the domains; n of them leave out one clip at a time.

    Raises:
        ScorerError: the scorer cannot be fitted to what is left.
    """
    scores = np.empty(len(clips), np.float64)
    without = getattr(scorer, "without", lambda _: None)  # a plugin's may be no subclass
    for seen, seen_clips in fits(folds(clips, count), clips):
        other = without(~seen) or fitted(rows[seen], seen_clips)
        scores[~seen] = other.score(rows[~seen])
    return scores
