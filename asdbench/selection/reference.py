"""The detector that an extractor may choose its parameters by; it knows no scorer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.clips import TrainingClip


class Gaussian:
    """Mahalanobis distance by a covariance that is shrunk by Ledoit and Wolf's formula."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        from sklearn.covariance import LedoitWolf

        self._model = LedoitWolf().fit(np.asarray(rows, np.float64))

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Squared distance of each row, float64 (n,)."""
        return np.asarray(self._model.mahalanobis(np.asarray(embeddings, np.float64)), np.float64)


def reference_detector(rows: NDArray[np.float32], clips: Sequence[TrainingClip]) -> Gaussian:
    """A Gaussian fitted to training embeddings (n, dim)."""
    return Gaussian(rows)
