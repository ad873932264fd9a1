"""A scorer for each domain."""

import copy
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.datasets.folds import FOLDS
from asdbench.scorers.base import Clips, Embeddings, Mask, Scorer, ScorerError, Scores, require_finite
from asdbench.scorers.out_of_fold import fold_scores
from asdbench.scorers.steps.base import Make, Step

FitDomain = Callable[[str, Embeddings, Sequence[TrainingClip]], Scorer]
SPREAD = 1e-6  # of the largest score; a smaller deviation is rounding (embeddings are single precision)


class ByDomain(Step):
    """Fits a scorer to each domain and takes the smaller score, each in units of its own domain's training scores.

    ``min_d (score_d(x) - mean_d) / deviation_d``, with mean and deviation of the scores that training clips of domain
    d have under scorers which have not seen them: the scorer's own training scores where it has such, else those of
    five folds, or of leaving out one clip at a time where there are fewer than ten. Without the units the domain with
    fewer clips, whose scores are larger, would never be the nearer one (Wilkinghoff et al., 2025). Where a scorer
    cannot be fitted to a domain, or scores all of it alike, the domain is left out, and noted.

    Args:
        standardise: whether scores are brought to these units; otherwise the smaller one is taken as it is.
    """

    def __init__(self, *, standardise: bool) -> None:
        self._standardise = standardise

    def around(self, make: Make) -> Scorer:
        """The scorer of all domains."""
        return OfDomains(make, self._standardise)


class OfDomains(Scorer):
    """See ``ByDomain``."""

    def __init__(self, make: Make, standardise: bool) -> None:
        super().__init__()
        self._make = make
        self._standardise = standardise
        self._training: tuple[Embeddings, Sequence[TrainingClip]] = np.empty((0, 0)), ()
        self._fitted: dict[str, tuple[Scorer, float, float]] = {}  # with mean and deviation of its domain's scores

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Fit a scorer to each domain."""
        rows = require_finite("by-domain", embeddings, bands=True)
        clips = clips or [TrainingClip("", "", "", None, ())] * len(rows)
        self._learn(rows, clips, lambda _, some, of: self._one(some, of))
        return self

    def without(self, left_out: Mask) -> Self | None:
        """As a fit to the other clips; the scorers of the domains are downdated where they can be, and else fitted."""
        rows, clips = self._training
        names = np.array([clip.domain or "" for clip in clips])

        def fitted(name: str, some: Embeddings, of: Sequence[TrainingClip]) -> Scorer:
            scorer = self._fitted[name][0].without(left_out[names == name]) if name in self._fitted else None
            return scorer or self._one(some, of)

        other = copy.copy(self)
        other.notes, other._fitted = [], {}
        other._learn(rows[~left_out], [clip for clip, gone in zip(clips, left_out, strict=True) if not gone], fitted)
        return other

    def _learn(self, all_rows: Embeddings, all_clips: Sequence[TrainingClip], fitted: FitDomain) -> None:
        self._training = all_rows, all_clips
        names = [clip.domain or "" for clip in all_clips]
        refused = None
        for name in sorted(set(names)):
            places = [place for place, domain in enumerate(names) if domain == name]
            rows, clips = all_rows[places], [all_clips[place] for place in places]
            try:
                scorer = fitted(name, rows, clips)
                mean, deviation = self._units(name, scorer, rows, clips)
            except ScorerError as error:
                self.notes.append(f"the {name or 'only'} domain is left out by by-domain: {error}")
                refused = error
                continue
            self._fitted[name] = scorer, mean, deviation
            self.notes += [note for note in scorer.notes if note not in self.notes]
        if not self._fitted:
            raise ScorerError(f"by-domain could fit no domain. {refused}")

    def _one(self, rows: Embeddings, clips: Sequence[TrainingClip]) -> Scorer:
        scorer = self._make()
        scorer.seed = self.seed
        scorer.fit(rows, clips)
        return scorer

    def _units(self, name: str, scorer: Scorer, rows: Embeddings, clips: Sequence[TrainingClip]) -> tuple[float, float]:
        if not self._standardise:
            return 0.0, 1.0
        known = scorer.training_scores()
        scores = self._unseen_scores(name, scorer, rows, clips) if known is None else known
        deviation = float(np.std(scores))
        if not deviation > SPREAD * float(np.abs(scores).max()):
            raise ScorerError(f"the scores of its {len(rows)} training clips are all the same.")
        return float(np.mean(scores)), deviation

    def _unseen_scores(self, name: str, scorer: Scorer, rows: Embeddings, clips: Sequence[TrainingClip]) -> Scores:
        """Never in-sample when it can be helped: few clips in many dimensions are all as far from their own centre."""
        try:
            return fold_scores(scorer, rows, clips, self._one, FOLDS if len(clips) >= 2 * FOLDS else len(clips))
        except ScorerError as error:
            self.notes.append(
                f"the units of the {name or 'only'} domain are scores of clips that the scorer has seen: {error}"
            )
            return scorer.score(rows)

    def score(self, embeddings: Embeddings) -> Scores:
        """The smallest over the domains, float64 (n,)."""
        scores = [(scorer.score(embeddings) - mean) / deviation for scorer, mean, deviation in self._fitted.values()]
        return np.asarray(np.min(scores, axis=0))
