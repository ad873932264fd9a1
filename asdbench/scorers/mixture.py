"""Gaussian mixture."""

from collections.abc import Sequence

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.base import Embeddings, FittedScorer, Scores, require_clips


class GaussianMixture(FittedScorer):
    """Negative log-likelihood under a mixture of Gaussians fitted to the training embeddings."""

    def __init__(self, *, n_components: int, covariance: str, reg_covar: float, restarts: int) -> None:
        super().__init__()
        self._components = n_components
        self._covariance = covariance
        self._reg_covar = reg_covar
        self._restarts = restarts

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Fit by expectation maximisation from k-means."""
        from sklearn.mixture import GaussianMixture as Mixture

        count = len(embeddings)
        require_clips("gmm", count, self._components + 1, "gmm.n_components", count - 1)
        self._model = Mixture(
            n_components=self._components,
            covariance_type=self._covariance,
            reg_covar=self._reg_covar,
            n_init=self._restarts,
            random_state=self.seed,
        ).fit(np.asarray(embeddings, float))

    def score(self, embeddings: Embeddings) -> Scores:
        """Negative log-likelihood of each row, float64 (n,)."""
        return np.asarray(-self._model.score_samples(np.asarray(embeddings, float)), np.float64)
