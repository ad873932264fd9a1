"""Length normalisation."""

import numpy as np

from asdbench.scorers.base import Embeddings, Scorer
from asdbench.scorers.steps.base import Changed, Make, Step


class UnitLength(Step):
    """Divides every embedding by its length, so that directions alone count; zeros stay zeros."""

    def around(self, make: Make) -> Scorer:
        """The scorer on embeddings of length one."""
        return Normalised(make())


class Normalised(Changed):
    """See ``UnitLength``."""

    def learn(self, embeddings: Embeddings) -> None:
        """Nothing to learn."""

    def change(self, embeddings: Embeddings) -> Embeddings:
        """Embeddings of length one, float32 (n, dim)."""
        length = np.linalg.norm(np.asarray(embeddings, np.float64), axis=1, keepdims=True)
        return np.asarray(embeddings / np.where(length > 0.0, length, 1.0), np.float32)
