"""Selective Mahalanobis distance: the smaller one of those to the domains' means."""

from typing import Any, NamedTuple

import numpy as np

from asdbench.scorers.bank import Distances
from asdbench.scorers.base import ArrayScorer, Clips, ScorerError, Scores, require_clips
from asdbench.scorers.domains import one_domain_note, places_by_domain
from asdbench.scorers.mahalanobis import fit_quietly, rank_of, singular_note, squared_distances


class Spread(NamedTuple):
    """An estimated covariance: its (pseudo-)inverse, (dim, dim), and whether it is singular."""

    precision: Distances
    rank: int
    singular: bool


class DomainMahalanobis(ArrayScorer):
    """``min_d sqrt((x - mean_d)^T C_d^+ (x - mean_d))`` over the domains d.

    The official baseline's selective Mahalanobis score (Harada et al., 2023), of embeddings in place of residuals.
    Ten target clips span nine directions: the pseudo-inverse of their covariance ignores all others, and the minimum
    calls every clip normal that differs from them in those. A domain whose covariance is singular therefore takes,
    unless ``share`` says otherwise, the covariance of all clips about their domains' means, as linear discriminant
    analysis does, with its own mean.

    Args:
        covariance: "ml", maximum likelihood, or "ledoit-wolf", shrunk towards a multiple of the identity.
        share: "where-singular", "always" or "never" (the pseudo-inverse of each, as the baseline's program).
    """

    name = "mahalanobis-domains"

    def __init__(self, *, covariance: str, share: str) -> None:
        super().__init__()
        self._shrunk = covariance == "ledoit-wolf"
        self._share = share
        self._domains: list[tuple[Distances, Distances]] = []

    def _learn(self, rows: Distances, clips: Clips) -> None:
        require_clips("a covariance", len(rows), 2)
        if not self._shrunk and len(rows) <= 2 * rows.shape[1]:
            self.held_out_fits = 200  # about as many clips as dimensions: distances change with every clip
        places = places_by_domain(clips, len(rows))
        self.notes += one_domain_note(places)
        means = {name: rows[place].mean(axis=0) for name, place in places.items()}
        centred = {name: rows[place] - means[name] for name, place in places.items()}
        if not any(np.ptp(rows[place], axis=0).any() for place in places.values()):
            raise ScorerError("the training clips of each domain have the same embedding, so there is no covariance.")
        shared: Spread | None = None
        for name, offsets in centred.items():
            spread = self._of_domain(offsets, others=len(places) > 1)
            if spread is None:
                shared = spread = shared or self._spread(np.concatenate(list(centred.values())))
                if self._share != "always":
                    self.notes.append(
                        f"the covariance of {len(offsets)} {name} clips in {rows.shape[1]} dimensions is singular; "
                        "that of all clips about their domains' means is taken for it"
                    )
            elif spread.singular:
                self.notes.append(singular_note(f"{len(offsets)} {name}", rows.shape[1], spread.rank))
            self._domains.append((means[name], spread.precision))
        if shared is not None and shared.singular:
            self.notes.append(singular_note(f"all {len(rows)}", rows.shape[1], shared.rank))

    def _of_domain(self, centred: Distances, others: bool) -> Spread | None:
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
        fit_quietly(model, centred)
        if self._shrunk and model.shrinkage_ > 0 and centred.any():
            rank = centred.shape[1]
        else:
            rank = rank_of(model.covariance_)
        return Spread(model.get_precision(), rank, rank < centred.shape[1])

    def _score(self, rows: Distances) -> Scores:
        return np.asarray(np.sqrt(np.min([squared_distances(rows, *domain) for domain in self._domains], axis=0)))
