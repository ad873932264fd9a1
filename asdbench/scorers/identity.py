"""The extractor's own score."""

from collections.abc import Sequence

import numpy as np

from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.base import Embeddings, Scorer, ScorerError, Scores


class Identity(Scorer):
    """Passes on embeddings of one column, for extractors that give an anomaly score themselves."""

    def __init__(self) -> None:
        super().__init__()
        self._training: Scores | None = None

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Keep the training scores."""
        self._training = self.score(embeddings)

    def score(self, embeddings: Embeddings) -> Scores:
        """The only column.

        Raises:
            ScorerError: there are several.
        """
        if embeddings.shape[1] != 1:
            raise ScorerError(
                f"identity takes extractors that give one anomaly score; these embeddings have "
                f"{embeddings.shape[1]} dimensions. See: asdbench list scorers"
            )
        return np.asarray(embeddings[:, 0], np.float64)

    def training_scores(self) -> Scores | None:
        """The training clips' own scores."""
        return self._training
