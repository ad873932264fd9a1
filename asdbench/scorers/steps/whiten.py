"""Whitening."""

from typing import Any

import numpy as np

from asdbench.scorers.base import Embeddings, Scorer, doubles, require_clips, require_variety
from asdbench.scorers.steps.base import Changed, Make, Step


class Whiten(Step):
    """Turns embeddings into their leading principal components, each with variance one over the training clips.

    Directions of little variance are left out: with fewer clips than dimensions all directions together would put
    every training clip at the same distance from the others.

    Args:
        variance: share of the variance that the components explain; 1 takes all there are.
    """

    def __init__(self, *, variance: float) -> None:
        self._variance = variance

    def around(self, make: Make) -> Scorer:
        """The scorer on whitened embeddings."""
        return Whitened(make(), self._variance)


class Whitened(Changed):
    """See ``Whiten``."""

    def __init__(self, inner: Scorer, variance: float) -> None:
        super().__init__(inner)
        self._variance = variance
        self._components: Any = None

    def learn(self, embeddings: Embeddings) -> None:
        """Find the principal components."""
        from sklearn.decomposition import PCA

        rows = doubles("whitening", embeddings)
        require_clips("whitening", len(rows), 2)
        if len(rows) <= 2 * rows.shape[1]:
            self.held_out_fits = 100  # about as many clips as dimensions: distances change with every clip
        require_variety(rows, "nothing can be whitened")
        rank = int(np.linalg.matrix_rank(rows - rows.mean(axis=0)))  # beyond it lies rounding only
        full = PCA(n_components=rank, svd_solver="full").fit(rows)
        explained = np.cumsum(full.explained_variance_ratio_)
        count = rank if self._variance >= 1.0 else min(rank, int(np.searchsorted(explained, self._variance)) + 1)
        self._components = PCA(n_components=count, whiten=True, svd_solver="full").fit(rows)

    def change(self, embeddings: Embeddings) -> Embeddings:
        """Whitened components, float32 (n, components)."""
        return np.asarray(self._components.transform(doubles("whitening", embeddings)), np.float32)
