"""How far a clip lies outside the subspace that normal clips vary in."""

import numpy as np

from asdbench.scorers.bank import Distances
from asdbench.scorers.base import ArrayScorer, Clips, ScorerError, Scores, require_variety


class ResidualSubspace(ArrayScorer):
    """``|x - P P^T x|`` of the centred embedding x, P the first principal components of the training clips.

    The Q statistic of process monitoring, but for the square (Jackson and Mudholkar, 1979).

    Args:
        n_components: in P; 0 takes as many as ``explained_variance`` asks for.
        explained_variance: share of the training clips' variance that P explains at least.
        scale: "none", or "deviation": each dimension divided by the training clips' deviation first.
    """

    name = "residual-subspace"
    fewest = 2

    def __init__(self, *, n_components: int, explained_variance: float, scale: str) -> None:
        super().__init__()
        self._n_components = n_components
        self._explained_variance = explained_variance
        self._scale = scale == "deviation"
        self._mean: Distances = np.empty(0)
        self._divisor: Distances = np.empty(0)
        self._components: Distances = np.empty((0, 0))

    def _learn(self, rows: Distances, clips: Clips) -> None:
        require_variety(rows, "there is no subspace")
        self._mean = rows.mean(axis=0)
        varies = np.ptp(rows, axis=0) > 0
        self._divisor = np.where(varies, rows.std(axis=0), 1.0) if self._scale else np.ones(rows.shape[1])
        _, singular, axes = np.linalg.svd((rows - self._mean) / self._divisor, full_matrices=False)
        rank = int(np.sum(singular > singular[0] * max(rows.shape) * np.finfo(np.float64).eps))
        dimensions = rows.shape[1]
        if max(self._n_components, 1) >= dimensions:
            fewer = f"Fewer are taken with -p residual-subspace.n_components={dimensions - 1}"
            raise ScorerError(
                f"residual-subspace finds nothing outside {max(self._n_components, 1)} components of embeddings with "
                f"{dimensions} dimensions. {fewer if dimensions > 1 else 'It needs two dimensions at least'}."
            )
        wanted = self._n_components or self._enough(singular[:rank])
        count = min(wanted, rank, dimensions - 1)
        if not self._n_components and count < wanted:
            self.notes.append(
                f"that share of the variance takes all {wanted} dimensions, which leaves nothing outside; "
                f"{count} components are taken"
            )
        if count < self._n_components:
            self.notes.append(
                f"{len(rows)} training clips span {count} directions, fewer than the components asked for"
            )
        self._components = axes[:count]

    def _enough(self, singular: Distances) -> int:
        """As many components as explain the share of the variance that is asked for."""
        explained = np.cumsum(singular**2) / np.sum(singular**2)
        return int(np.searchsorted(explained, self._explained_variance * (1 - 1e-12))) + 1

    def _score(self, rows: Distances) -> Scores:
        rows = (rows - self._mean) / self._divisor
        outside = rows - (rows @ self._components.T) @ self._components
        return np.asarray(np.linalg.norm(outside, axis=1))
