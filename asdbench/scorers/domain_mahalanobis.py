"""Selective Mahalanobis distance: the smaller one of those to the domains' means."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from operator import add
from typing import Any, Self

import numpy as np

from asdbench.scorers.bank import Distances, Places
from asdbench.scorers.base import ArrayScorer, Clips, Embeddings, Mask, ScorerError, Scores, doubles, require_clips
from asdbench.scorers.domains import one_domain_note, places_by_domain
from asdbench.scorers.mahalanobis import fit_quietly, rank_of, singular_note
from asdbench.scorers.scatter import Moments, Scatter, Spread


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
        self._training: Embeddings = np.empty((0, 0))
        self._gone: Mask = np.empty(0, np.bool_)  # which of them this scorer has not seen
        self._places: dict[str, Places] = {}  # of the clips of each domain that it has seen
        self._scatters: dict[str, tuple[Places, Scatter]] = {}
        self._domains: list[tuple[Distances, Spread]] = []

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Learn from training embeddings (n, dim)."""
        self._training = np.asarray(embeddings)
        return super().fit(embeddings, clips)

    def _learn(self, rows: Distances, clips: Clips) -> None:
        require_clips("a covariance", len(rows), 2)
        if not self._shrunk and len(rows) <= 2 * rows.shape[1]:
            self.held_out_fits = 200  # about as many clips as dimensions: distances change with every clip
        self._places, self._gone = places_by_domain(clips, len(rows)), np.zeros(len(rows), np.bool_)
        self.notes += one_domain_note(self._places)
        means = {name: rows[place].mean(axis=0) for name, place in self._places.items()}
        centred = {name: rows[place] - means[name] for name, place in self._places.items()}
        self._require_variety()
        self._choose(means, lambda names: self._spread(np.concatenate([centred[name] for name in names])))

    def without(self, left_out: Mask) -> Self | None:
        """As a fit to the other clips, by downdating the covariances."""
        if not self._scatters:
            rows = {name: doubles(self.name, self._training[place]) for name, place in self._places.items()}
            self._scatters = {name: (place, Scatter(rows[name])) for name, place in self._places.items()}
        other = copy.copy(self)
        other.notes, other._domains = [], []
        other._gone = self._gone.copy()
        other._gone[~self._gone] = left_out
        places = {name: place[~other._gone[place]] for name, place in self._places.items()}
        other._places = {name: place for name, place in places.items() if len(place)}
        require_clips("a covariance", int((~other._gone).sum()), 2)
        other._require_variety()
        moments: dict[str, Moments] = {}
        for name in other._places:
            place, scatter = self._scatters[name]
            moments[name] = scatter.without(other._gone[place])
        other._choose(
            {name: one.mean for name, one in moments.items()},
            lambda names: reduce(add, [moments[name] for name in names]).spread(shrunk=self._shrunk),
        )
        return other

    def _require_variety(self) -> None:
        if not any(np.ptp(self._training[place], axis=0).any() for place in self._places.values()):
            raise ScorerError("the training clips of each domain have the same embedding, so there is no covariance.")

    def _choose(self, means: Mapping[str, Distances], spread_of: Callable[[Sequence[str]], Spread]) -> None:
        """Take for each domain its own covariance, or that of all; ``spread_of`` estimates that of some domains."""
        shared: Spread | None = None
        dim, everyone = self._training.shape[1], list(means)
        for name, mean in means.items():
            count = len(self._places[name])
            spread = self._of_domain(count, dim, partial(spread_of, [name]), others=len(means) > 1)
            if spread is None:
                shared = spread = shared or spread_of(everyone)
                if self._share != "always":
                    self.notes.append(
                        f"the covariance of {count} {name} clips in {dim} dimensions is singular; "
                        "that of all clips about their domains' means is taken for it"
                    )
            elif spread.singular:
                self.notes.append(singular_note(f"{count} {name}", dim, spread.rank))
            self._domains.append((mean, spread))
        if shared is not None and shared.singular:
            self.notes.append(singular_note(f"all {sum(map(len, self._places.values()))}", dim, shared.rank))

    def _of_domain(self, count: int, dim: int, estimate: Callable[[], Spread], others: bool) -> Spread | None:
        """The covariance of a domain's clips; None where the shared one is taken for it."""
        replaced = others and self._share == "where-singular"
        hopeless = replaced and not self._shrunk and count <= dim
        if self._share == "always" or hopeless:
            return None
        spread = estimate()
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
        return Spread.inverted(model.get_precision(), rank)

    def _score(self, rows: Distances) -> Scores:
        return np.asarray(np.sqrt(np.min([spread.squared(rows, mean) for mean, spread in self._domains], axis=0)))
