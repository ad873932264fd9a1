"""Selective Mahalanobis distance: the smaller one of those to the domains' means."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.bank import Distances
from asdbench.scorers.base import Embeddings, Scorer, ScorerError, Scores, require_clips, require_finite
from asdbench.scorers.domains import one_domain_note, places_by_domain

BLOCK = 2048  # rows at a time


@dataclass(frozen=True)
class Spread:
    """An estimated covariance: its (pseudo-)inverse, (dim, dim), and whether it is singular."""

    precision: Distances
    rank: int
    singular: bool


class DomainMahalanobis(Scorer):
    """``min_d sqrt((x - mean_d)^T C_d^+ (x - mean_d))`` over the domains d.

    The official baseline's selective Mahalanobis score (Harada et al., 2023), of embeddings in place of residuals.
    Ten target clips span nine directions: the pseudo-inverse of their covariance ignores all others, and the minimum
    calls every clip normal that differs from them in those. A domain whose covariance is singular therefore takes,
    unless told otherwise, the covariance of all clips about their domains' means, as linear discriminant analysis
    does, and keeps its own mean.

    Args:
        covariance: "ml", maximum likelihood, or "ledoit-wolf", shrunk towards a multiple of the identity.
        share: "where-singular", "always" or "never" (the pseudo-inverse of each, as the baseline's program).
    """

    def __init__(self, *, covariance: str, share: str) -> None:
        super().__init__()
        self._shrunk = covariance == "ledoit-wolf"
        self._share = share
        self._domains: list[tuple[Distances, Distances]] = []

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Estimate means and covariances.

        Raises:
            ScorerError: fewer than two clips, embeddings that are not finite, or all clips of a domain the same in
                every domain, so that there is nothing to measure by.
        """
        require_clips("a covariance", len(embeddings), 2)
        rows = np.asarray(require_finite("mahalanobis-domains", embeddings), np.float64)
        places = places_by_domain(clips)
        self.notes += one_domain_note(places)
        means = {name: rows[own].mean(axis=0) for name, own in places.items()}
        centred = np.concatenate([rows[own] - means[name] for name, own in places.items()])
        if not np.concatenate([np.ptp(rows[own], axis=0) for own in places.values()]).any():
            raise ScorerError("the training clips of each domain have the same embedding, so there is no covariance.")
        shared: Spread | None = None
        self._domains = []
        for name, own in places.items():
            spread = self._own(rows[own] - means[name], others=len(places) > 1)
            if spread is None:
                shared = spread = shared or self._spread(centred)
                if self._share != "always":
                    self.notes.append(
                        f"the covariance of {len(own)} {name} clips in {rows.shape[1]} dimensions is singular; that of "
                        "all clips about their domains' means is taken for it"
                    )
            elif spread.singular:
                self.notes.append(_singular(f"{len(own)} {name}", spread))
            self._domains.append((means[name], spread.precision))
        if shared is not None and shared.singular:
            self.notes.append(_singular(f"all {len(rows)}", shared))

    def _own(self, centred: Distances, others: bool) -> Spread | None:
        """The covariance of a domain's rows less their mean; None where the shared one is taken for it."""
        replaced = others and self._share == "where-singular"
        hopeless = replaced and not self._shrunk and len(centred) <= centred.shape[1]
        if self._share == "always" or hopeless:
            return None
        spread = self._spread(centred)
        # Equal clips have no covariance at all: every clip would be at distance 0.
        return None if (replaced and spread.singular) or (others and spread.rank == 0) else spread

    def _spread(self, centred: Distances) -> Spread:
        from sklearn.covariance import EmpiricalCovariance, LedoitWolf

        model: Any = LedoitWolf(assume_centered=True) if self._shrunk else EmpiricalCovariance(assume_centered=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the rank is reported in our words
            model.fit(centred)
        if self._shrunk and model.shrinkage_ > 0 and centred.any():
            rank = centred.shape[1]
        else:
            rank = int(np.linalg.matrix_rank(model.covariance_, hermitian=True))
        return Spread(model.get_precision(), rank, rank < centred.shape[1])

    def score(self, embeddings: Embeddings) -> Scores:
        """Smaller distance of each row, float64 (n,)."""
        require_finite("mahalanobis-domains", embeddings)
        squared = np.full(len(embeddings), np.inf)
        for mean, precision in self._domains:
            for first in range(0, len(embeddings), BLOCK):
                offset = embeddings[first : first + BLOCK] - mean
                own = np.einsum("ij,ij->i", offset @ precision, offset)
                squared[first : first + BLOCK] = np.minimum(squared[first : first + BLOCK], own)
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def _singular(clips: str, spread: Spread) -> str:
    return (
        f"the covariance of {clips} clips in {len(spread.precision)} dimensions is singular (rank {spread.rank}); "
        "its pseudo-inverse is used"
    )
