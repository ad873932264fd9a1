"""Gaussian mixture."""

from typing import Self

from asdbench.scorers.base import Clips, Embeddings, FittedScorer, doubles, require_clips


class GaussianMixture(FittedScorer):
    """Negative log-likelihood under a mixture of Gaussians fitted to the training embeddings."""

    name = "gmm"

    def __init__(self, *, n_components: int, covariance: str, reg_covar: float, restarts: int) -> None:
        super().__init__()
        self._components = n_components
        self._covariance = covariance
        self._reg_covar = reg_covar
        self._restarts = restarts

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Fit by expectation maximisation from k-means."""
        from sklearn.mixture import GaussianMixture as Mixture

        rows = doubles("gmm", embeddings)
        require_clips("gmm", len(rows), self._components + 1, "gmm.n_components", len(rows) - 1)
        self._model = Mixture(
            n_components=self._components,
            covariance_type=self._covariance,
            reg_covar=self._reg_covar,
            n_init=self._restarts,
            random_state=self.seed,
        ).fit(rows)
        return self
