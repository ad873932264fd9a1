"""The extractor's own score."""

from asdbench.scorers.base import ArrayScorer, Clips, ScorerError, Scores


class Identity(ArrayScorer):
    """Passes on embeddings of one column, for extractors that give an anomaly score themselves."""

    name = "identity"

    def __init__(self) -> None:
        super().__init__()
        self._training: Scores | None = None

    def _learn(self, rows: Scores, clips: Clips) -> None:
        self._training = self._score(rows)

    def _score(self, rows: Scores) -> Scores:
        """The only column.

        Raises:
            ScorerError: there are several.
        """
        if rows.shape[1] != 1:
            raise ScorerError(
                f"identity takes extractors that give one anomaly score; these embeddings have "
                f"{rows.shape[1]} dimensions. See: asdbench list scorers"
            )
        return rows[:, 0]

    def training_scores(self) -> Scores | None:
        """The training clips' own scores."""
        return self._training
