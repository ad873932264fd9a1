"""Gaussian mixture."""

import numpy as np

from asdbench.scorers.bank import Distances
from asdbench.scorers.base import ArrayScorer, Clips, Scores, require_clips


class GaussianMixture(ArrayScorer):
    """Negative log-likelihood under a mixture of Gaussians fitted to the training embeddings."""

    name = "gmm"

    def __init__(self, *, n_components: int, covariance: str, reg_covar: float, restarts: int) -> None:
        super().__init__()
        self._components = n_components
        self._covariance = covariance
        self._reg_covar = reg_covar
        self._restarts = restarts

    def _learn(self, rows: Distances, clips: Clips) -> None:
        from sklearn.mixture import GaussianMixture as Mixture

        require_clips("gmm", len(rows), self._components + 1, "gmm.n_components", len(rows) - 1)
        self._model = Mixture(
            n_components=self._components,
            covariance_type=self._covariance,
            reg_covar=self._reg_covar,
            n_init=self._restarts,
            random_state=self.seed,
        ).fit(rows)

    def _score(self, rows: Distances) -> Scores:
        return np.asarray(-self._model.score_samples(rows))
