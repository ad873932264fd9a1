"""The extractor's own score."""

from typing import Self

from asdbench.scorers.base import Clips, Embeddings, Scorer, ScorerError, Scores, doubles


class Identity(Scorer):
    """Passes on embeddings of one column, for extractors that give an anomaly score themselves."""

    def __init__(self) -> None:
        super().__init__()
        self._training: Scores | None = None

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Take in the training scores."""
        self._training = self.score(embeddings)
        return self

    def score(self, embeddings: Embeddings) -> Scores:
        """The only column.

        Raises:
            ScorerError: there are several.
        """
        rows = doubles("identity", embeddings)
        if rows.shape[1] != 1:
            raise ScorerError(
                f"identity takes extractors that give one anomaly score; these embeddings have "
                f"{rows.shape[1]} dimensions. See: asdbench list scorers"
            )
        return rows[:, 0]

    def training_scores(self) -> Scores | None:
        """The training clips' own scores."""
        return self._training
