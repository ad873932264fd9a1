"""A memory of each frequency band's training embeddings."""

import numpy as np

from asdbench.scorers.bank import Bank, Rows
from asdbench.scorers.base import ArrayScorer, Clips, Embeddings, ScorerError, Scores, require_finite
from asdbench.scorers.rescaled import bank_of


class BandMemories(ArrayScorer):
    """Distance to the nearest training clip in each band, the mean over the bands (arXiv 2603.13749).

    ``D(x, y) = (1 - cos) / 2`` over all training clips, of source and target together. Each band has a memory of its
    own, so the nearest clip may be another one in every band. Embeddings without bands are one band.

    Args:
        rescale: "none", "ratio", "difference" or "varmin", by the density of each band's memory (``RescaledBank``).
        rescale_k: neighbours that tell the density.

    Examples:
        >>> import asdbench as asd, numpy as np
        >>> bands = np.random.default_rng(0).normal(size=(20, 4, 8))
        >>> asd.scorer("beam", rescale="varmin").fit(bands).score(bands).shape
        (20,)
    """

    name = "beam"
    fewest = 1

    def __init__(self, *, rescale: str, rescale_k: int) -> None:
        super().__init__()
        self._rescale = rescale
        self._rescale_k = rescale_k
        self._half = 1.0 if rescale == "ratio" else 0.5  # of 1 - cos; a ratio has no unit
        self._memories: list[Bank] = []

    def _learn(self, rows: Rows, clips: Clips) -> None:
        self._memories = [
            bank_of(rows[:, band], 1, "cosine", self._rescale, self._rescale_k) for band in range(rows.shape[1])
        ]
        self.notes += self._memories[0].short_note("band", "clips")

    def _score(self, rows: Rows) -> Scores:
        """Mean over the bands, float64 (n,); those of "difference" and "varmin" may be negative."""
        if rows.shape[1] != len(self._memories):
            raise ScorerError(f"beam was fitted to {len(self._memories)} bands; these embeddings have {rows.shape[1]}.")
        return self._mean([memory.distances(rows[:, band]) for band, memory in enumerate(self._memories)])

    def _mean(self, of_bands: list[Scores]) -> Scores:
        return np.asarray(np.concatenate(of_bands, axis=1).mean(axis=1) * self._half)

    def _rows(self, embeddings: Embeddings) -> Rows:
        rows = require_finite(self.name, embeddings, bands=True)
        return rows if rows.ndim == 3 else rows[:, None]

    def training_scores(self) -> Scores | None:
        """Scores of the training clips, each with memories without it; None where that leaves nothing."""
        scores = self._mean([memory.distances_within() for memory in self._memories])
        return scores if np.isfinite(scores).all() else None
