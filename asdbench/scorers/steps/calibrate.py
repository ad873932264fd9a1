"""Scores on the scale of the domain that a clip is near to."""

import copy
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.bank import Bank, Distances, Places
from asdbench.scorers.base import Clips, Embeddings, Mask, Scorer, ScorerError, Scores, require_finite
from asdbench.scorers.domains import Standard, one_domain_note, places_by_domain
from asdbench.scorers.out_of_fold import scores_for_units
from asdbench.scorers.steps.base import Make, Step

Curve = Callable[[Scores], Scores]
SMALLEST = 1e-9  # of a scale that is divided by


def quantiles(known: Scores) -> Curve:
    """Part of the ``known`` scores that lies below a score, as a rising curve through the points i / (n + 1).

    From 0 at score 0 to the smallest one it is a line. Beyond the largest it goes on as ``q + (1 - q) x / (x + s)``,
    with x the excess and s what lies between the median and the largest, so that no two scores tie. Where the smallest
    is negative, as of rescaled distances, the curve goes down in the same way.
    """
    ordered = np.sort(known)
    points = np.arange(1, len(ordered) + 1) / (len(ordered) + 1)
    starts = ordered[0] > 0
    at, values = (np.r_[0.0, ordered], np.r_[0.0, points]) if starts else (ordered, points)
    above, below = (max(float(abs(end - np.median(ordered))), SMALLEST) for end in (ordered[-1], ordered[0]))

    def curve(scores: Scores) -> Scores:
        excess = np.maximum(scores - ordered[-1], 0.0)
        lack = np.maximum(ordered[0] - scores, 0.0) * (not starts)
        inside = np.interp(scores, at, values)
        return np.asarray(inside + (1 - points[-1]) * excess / (excess + above) - points[0] * lack / (lack + below))

    return curve


class Calibrate(Step):
    """Brings scores to one scale by the domain that a clip is near to, ``sum_d w_d(x) c_d(score(x))``.

    Mkrtchian (2026, DACo). One scorer is fitted to all clips. c_d is made of the scores of the training clips of
    domain d that their scorer has not seen: "quantile", the part of them below, by (n_d c_d + m c) / (n_d + m) drawn
    towards the curve c of all clips; "z-score", (score - mean) / deviation; "ratio", score / median. With m = 0 every
    domain has the same rate of false alarms; with large m the order is that of the scorer alone. w_d says which domain
    a clip is near to, by its cosine distance to the nearest training clip of each: all to the nearest ("hard"), or a
    softmax of -distance / T ("soft"), T the median of these distances of training clips to the others. In the original
    T is the median of the scorer's own scores, which are such distances there.

    Args:
        method: "quantile", "z-score" or "ratio".
        pooling: m.
        assign: "soft" or "hard".

    Examples:
        >>> import asdbench as asd, numpy as np
        >>> rows = np.random.default_rng(0).normal(size=(30, 8))
        >>> domains = ["source"] * 20 + ["target"] * 10
        >>> asd.scorer("calibrate+knn").fit(rows, domains=domains).score(rows).shape
        (30,)
    """

    def __init__(self, *, method: str, pooling: float, assign: str) -> None:
        self._params = method, pooling, assign

    def around(self, make: Make) -> Scorer:
        """The scorer, calibrated."""
        return Calibrated(make, *self._params)


class Calibrated(Scorer):
    """See ``Calibrate``."""

    name = "calibrate"

    def __init__(self, make: Make, method: str, pooling: float, assign: str) -> None:
        super().__init__()
        self._make = make
        self._method = method
        self._pooling = pooling
        self._hard = assign == "hard"
        self._training: tuple[Embeddings, Sequence[TrainingClip]] = np.empty((0, 0)), ()
        self._curves: list[Curve] = []
        self._banks: list[Bank] = []

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Fit the scorer to all clips, and a curve to the scores of each domain."""
        rows = require_finite("calibrate", embeddings, bands=True)
        clips = clips or [TrainingClip("", "", "", None, ())] * len(rows)
        self._learn(self._fitted(rows, clips), rows, clips)
        return self

    def without(self, left_out: Mask) -> Self | None:
        """As a fit to the other clips, where the scorer can be downdated."""
        scorer = self._scorer.without(left_out)
        if scorer is None:
            return None
        rows, clips = self._training
        other = copy.copy(self)
        other.notes = []
        remain = [clip for clip, gone in zip(clips, left_out, strict=True) if not gone]
        other._learn(scorer, rows[~left_out], remain)
        return other

    def _learn(self, scorer: Scorer, rows: Embeddings, clips: Sequence[TrainingClip]) -> None:
        self._scorer, self._training = scorer, (rows, clips)
        self.notes += self._scorer.notes
        known = scores_for_units(self._scorer, rows, clips, self._fitted)
        places = places_by_domain(clips, len(rows))
        self.notes += one_domain_note(places)
        whole = quantiles(known)
        self._curves = [self._curve(name, known[place], whole) for name, place in places.items()]
        flat = rows.reshape(len(rows), -1)
        self._banks = [Bank(flat[place], 1, "cosine") for place in places.values()]
        apart = Bank(flat, 1, "cosine").distances_within() if len(rows) > 1 else np.ones(1)
        self._temperature = max(float(np.median(apart)), SMALLEST)

    def _fitted(self, rows: Embeddings, clips: Clips) -> Scorer:
        scorer = self._make()
        scorer.seed = self.seed
        return scorer.fit(rows, clips)

    def _curve(self, name: str, known: Scores, whole: Curve) -> Curve:
        if self._method == "quantile":
            own, share = quantiles(known), len(known) / (len(known) + self._pooling)
            return lambda scores: share * own(scores) + (1 - share) * whole(scores)
        if self._method == "z-score":
            return Standard(float(known.mean()), float(known.std()) or SMALLEST)
        median = float(np.median(known))
        if median <= 0:
            raise ScorerError(
                f"calibrate cannot divide by the median score of the {name} domain, {median:.6g}: not above 0.\n"
                "Scores that may be negative are calibrated with -p calibrate.method=quantile"
            )
        return Standard(0.0, median)

    def score(self, embeddings: Embeddings) -> Scores:
        """Calibrated scores, float64 (n,)."""
        rows = require_finite("calibrate", embeddings, bands=True)
        scores = self._scorer.score(rows)
        weights = self._weights(rows.reshape(len(rows), -1))
        return np.asarray(sum(weight * curve(scores) for weight, curve in zip(weights.T, self._curves, strict=True)))

    def _weights(self, rows: Embeddings) -> Distances:
        """How much of each domain a clip is, (n, domains); they sum to 1."""
        distances = np.column_stack([bank.distances(rows)[:, 0] for bank in self._banks])
        nearest: Places = distances.argmin(axis=1)
        if self._hard:
            return np.eye(len(self._banks))[nearest]
        parts = np.exp((distances.min(axis=1, keepdims=True) - distances) / self._temperature)
        return np.asarray(parts / parts.sum(axis=1, keepdims=True))
