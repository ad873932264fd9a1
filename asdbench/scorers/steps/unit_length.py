"""Length normalisation."""

import numpy as np

from asdbench.scorers.bank import directions
from asdbench.scorers.base import Embeddings, Scorer, doubles
from asdbench.scorers.steps.base import Changed, Make, Step


class UnitLength(Step):
    """Divides every embedding by its length, so that directions alone count; zeros stay zeros."""

    def around(self, make: Make) -> Scorer:
        """The scorer on embeddings of length one."""
        return Normalised(make())


class Normalised(Changed):
    """See ``UnitLength``."""

    learns = False

    def learn(self, embeddings: Embeddings) -> None:
        """Nothing to learn."""

    def change(self, embeddings: Embeddings) -> Embeddings:
        """Embeddings of length one, float32 (n, dim)."""
        return directions(doubles("unit-length", embeddings)).astype(np.float32)
